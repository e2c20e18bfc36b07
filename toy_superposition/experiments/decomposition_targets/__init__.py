"""Toy models as targets for parameter decomposition: in which share of seeds does it succeed?

Follow-ups: Braun et al. (2025), "Interpretability in Parameter Space" (APD); Bushnaq, Braun and
Sharkey (2025), "Stochastic Parameter Decomposition" (SPD).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.decomposition_targets.analysis import (
  SETTINGS,
  run,
  working_bytes,
)
from toy_superposition.experiments.decomposition_targets.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group

DENSITY = 0.05  # of the published targets


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for targets whose decomposition is not described."""
  for group in groups:
    name = f"{group.spec.n_features}-{group.spec.n_hidden}"
    if name not in SETTINGS:
      raise refusal("decomposition_targets", "model.n_features", name, " or ".join(SETTINGS))
  del values


EXPERIMENT = Experiment(
  section="The Geometry of Superposition",
  requires={"density.base": DENSITY, "train.weight_decay": 0.01, "train.optimizer": "adamw"},
  may_vary=("model.n_features", "model.n_hidden"),
  axes={"target": "", "restart": ""},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  working_bytes=working_bytes,
  refuses=refuses,
  compares_sizes=True,
)
