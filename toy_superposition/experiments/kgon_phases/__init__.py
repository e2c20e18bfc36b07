"""Polygons of six features in a plane: phases of training, and phases of the posterior.

Follow-up: Chen et al. (2023), "Dynamical versus Bayesian Phase Transitions in a Toy Model of
Superposition".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.kgon_phases.analysis import run
from toy_superposition.experiments.kgon_phases.claims import claims
from toy_superposition.experiments.kgon_phases.theory import N_FEATURES, N_HIDDEN
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group

MIN_HISTORY = 10  # stored steps


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for a config without the course of training."""
  del groups
  if values["history.num"] < MIN_HISTORY:
    needed = f"the course of training: {MIN_HISTORY} or more stored steps"
    raise refusal("kgon_phases", "history.num", values["history.num"], needed)


EXPERIMENT = Experiment(
  section="Learning Dynamics",
  requires={
    "model.n_features": N_FEATURES,
    "model.n_hidden": N_HIDDEN,
    "data.distribution": "one_hot",
    "data.value_law": "uniform",
  },
  may_vary=("density.base",),  # without effect: one feature is always active
  axes={"restart": ""},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
)
