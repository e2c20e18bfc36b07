"""Dropout of hidden units: does it spread features over them, align them, or remove them?

Follow-up: posts of 2023 say that dropout inhibits superposition, and that it privileges the axes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.dropout_basis.analysis import run, working_bytes
from toy_superposition.experiments.dropout_basis.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group

MOST_HIDDEN = 10  # 2^m masks are enumerated


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for too many masks, and for features that are always silent."""
  del groups
  if values["model.n_hidden"] > MOST_HIDDEN:
    allowed = f"at most {MOST_HIDDEN} dimensions"
    raise refusal("dropout_basis", "model.n_hidden", values["model.n_hidden"], allowed)
  if values["density.base"] <= 0:
    raise refusal("dropout_basis", "density.base", values["density.base"], "densities > 0")


EXPERIMENT = Experiment(
  section="Superposition in a Privileged Basis",
  may_vary=("model.n_features", "model.n_hidden", "model.dropout", "density.base"),
  axes={"n": "model.n_features", "dropout": "model.dropout", "restart": ""},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  working_bytes=working_bytes,
  refuses=refuses,
  compares_sizes=True,
)
