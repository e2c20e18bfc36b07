"""Superposition as a phase change: what becomes of an extra feature, by importance and density."""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.phase_change.analysis import run
from toy_superposition.experiments.phase_change.claims import claims
from toy_superposition.experiments.phase_plane import FIELDS, PLANE
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for sizes without a theory, and for numbers without a logarithm."""
  sizes = (values["model.n_features"], values["model.n_hidden"])
  if sizes not in ((2, 1), (3, 2)):
    raise refusal("phase_change", "model.n_features, n_hidden", sizes, "(2, 1) and (3, 2)")
  for group in groups:
    if (group.instances.density[:, -1] <= 0).any() or (group.instances.importance <= 0).any():
      raise UserError(
        f"config.axis.{PLANE[0]}, {PLANE[1]}: 0 is not allowed with experiment 'phase_change', "
        "whose axes are logarithmic; allowed: numbers > 0"
      )


EXPERIMENT = Experiment(
  section="Superposition as a Phase Change",
  requires={"importance.profile": "last_apart"},
  may_vary=("model.n_features", "model.n_hidden"),
  axes=FIELDS,
  measures=("feature_norm", "superposition"),
  run=run,
  claims=claims,
  of_best=True,
  figure=figure_in(__name__),
  refuses=refuses,
)
