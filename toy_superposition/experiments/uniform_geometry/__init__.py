"""Uniform superposition: dimensions per feature, clusters of dimensionalities, and polytopes."""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.experiments.uniform_geometry.analysis import run
from toy_superposition.experiments.uniform_geometry.claims import claims
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError unless there are many more features than dimensions."""
  del groups
  n, m = values["model.n_features"], values["model.n_hidden"]
  if n < 5 * m:
    allowed = f"many more features than dimensions: at least {5 * m} for n_hidden = {m}"
    raise refusal("uniform_geometry", "model.n_features", n, allowed)


EXPERIMENT = Experiment(
  section="The Geometry of Superposition",
  may_vary=(
    *("model.n_features", "model.n_hidden"),
    "loss.reduction",  # a factor on the loss: the optimum is the same
  ),
  axes={"density": "density.base"},
  certificates=("block_division",),  # whose divisions are stored anyway
  measures=("feature_norm", "feature_dimensionality", "dimensions_per_feature"),
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
)
