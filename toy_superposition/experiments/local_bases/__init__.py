"""Local bases: each of two correlated sets is orthogonal, in dimensions that both share."""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.local_bases.analysis import run
from toy_superposition.experiments.local_bases.claims import claims
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError unless there are two sets with as many features as hidden dimensions each."""
  del groups
  fields = ("model.n_features", "model.n_hidden", "data.set_size")
  n, m, size = (values[field] for field in fields)
  if not n == 2 * m == 2 * size:
    named = "model.n_features, model.n_hidden, data.set_size"
    raise refusal("local_bases", named, (n, m, size), "two sets of n_hidden features each")


EXPERIMENT = Experiment(
  section="Correlated and Anticorrelated Features",
  requires={"data.distribution": "correlated_sets"},
  # Claims are about directions, which the reduction of the loss does not change.
  may_vary=("model.n_features", "model.n_hidden", "data.set_size", "loss.reduction"),
  axes={"density": "density.base"},
  measures=("feature_norm", "feature_dimensionality"),
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
)
