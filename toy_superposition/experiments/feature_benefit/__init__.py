"""Feature benefit against interference: the terms that the losses of both models consist of."""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.feature_benefit.analysis import LINEAR, RELU, run
from toy_superposition.experiments.feature_benefit.claims import claims
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError unless both models are there, with more features than dimensions."""
  models = sorted({group.spec.model for group in groups})
  if models != [LINEAR, RELU]:
    raise refusal("feature_benefit", "axis.model.points", models, f"both {LINEAR} and {RELU}")
  n, m = values["model.n_features"], values["model.n_hidden"]
  if n <= m:
    raise refusal("feature_benefit", "model.n_features", n, f"more than n_hidden = {m}")


EXPERIMENT = Experiment(
  section="Mathematical Understanding",
  requires={
    "importance.profile": "geometric",
    "importance.ratio": 0.9,
    "evaluation.method": "exact",  # the loss that the terms add up to
  },
  may_vary=("model.n_features", "model.n_hidden"),
  axes={"model": "model.name", "density": "density.base"},
  run=run,
  claims=claims,
  of_best=True,
  figure=figure_in(__name__),
  refuses=refuses,
)
