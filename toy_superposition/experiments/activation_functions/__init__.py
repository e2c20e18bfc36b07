"""The phase diagram under other output activations: where the extra feature is in superposition."""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.activation_functions.analysis import LABELS, MAP, REFERENCE, run
from toy_superposition.experiments.activation_functions.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.phase_plane import FIELDS
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError without the linear and the ReLU model, or for another kind of model."""
  del values
  models = {group.spec.model for group in groups}
  if not {"linear", REFERENCE} <= models <= set(LABELS):
    allowed = f"linear and {REFERENCE}, with or without others of {', '.join(LABELS)}"
    raise refusal("activation_functions", "axis.model.points", sorted(models), allowed)


EXPERIMENT = Experiment(
  section="Comments & Replications",
  requires={"model.n_features": 2, "model.n_hidden": 1, "importance.profile": "last_apart"},
  may_vary=("loss.reduction",),  # a factor on the loss: the optimum is the same
  axes={MAP[0]: "model.name", **FIELDS},
  measures=("feature_norm", "superposition"),
  run=run,
  claims=claims,
  of_best=True,
  figure=figure_in(__name__),
  refuses=refuses,
)
