"""Learning as a geometric transformation: two correlated sets of three features in space.

Training leads from principal components to an octahedron, in stages (paper, section "Learning
Dynamics").
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.learning_dynamics_geometry.analysis import run
from toy_superposition.experiments.learning_dynamics_geometry.claims import claims
from toy_superposition.experiments.learning_dynamics_geometry.theory import (
  N_FEATURES,
  N_HIDDEN,
  SET_SIZE,
)
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group

MIN_HISTORY = 3  # stored steps: start, plateau and end


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for a config without the course of training, or without active features."""
  del groups
  name = "learning_dynamics_geometry"
  if values["history.num"] < MIN_HISTORY:
    needed = f"the course of training: {MIN_HISTORY} or more stored steps"
    raise refusal(name, "history.num", values["history.num"], needed)
  if values["density.base"] <= 0:
    raise refusal(name, "density.base", values["density.base"], "densities > 0")


EXPERIMENT = Experiment(
  section="Learning Dynamics",
  requires={
    "model.n_features": N_FEATURES,
    "model.n_hidden": N_HIDDEN,
    "data.distribution": "correlated_sets",
    "data.set_size": SET_SIZE,
    # Stages are found by the expected loss per feature, which is computed here for either.
    "loss.reduction": frozenset({"sum", "mean"}),
  },
  # The closed forms are functions of the density; above theory.STATED nothing is decided.
  may_vary=("density.base",),
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
)
