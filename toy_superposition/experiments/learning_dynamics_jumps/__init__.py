"""Feature dimensionalities during training: they sit on levels and jump between them."""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.learning_dynamics_jumps.analysis import WINDOW, run
from toy_superposition.experiments.learning_dynamics_jumps.claims import claims
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group

NAME = "learning_dynamics_jumps"


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for too few features or recorded steps."""
  del groups
  n, m = values["model.n_features"], values["model.n_hidden"]
  if n < 2 * m:
    raise refusal(NAME, "model.n_features", n, f"digons: at least two per dimension, {2 * m}")
  fewest = round(2 / WINDOW)
  if values["history.num"] < fewest:
    needed = f"changes within {WINDOW:.0%} of training: {fewest} recorded steps or more"
    raise refusal(NAME, "history.num", values["history.num"], needed)


EXPERIMENT = Experiment(
  section="Learning Dynamics",
  requires={
    "history.scale": "linear",
    "density.base": 0.35,  # in the middle of the range in which features end as digons
  },
  may_vary=("model.n_features", "model.n_hidden", "loss.reduction"),
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
)
