"""Equal features: two theories of their loss, blocks and the mean field, beside training."""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments import uniform
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.experiments.uniform_theory.analysis import run
from toy_superposition.experiments.uniform_theory.claims import claims
from toy_superposition.types import Group

# With fewer, interference is a sum of a few terms, and no normal noise.
MIN_FEATURES = 64


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for few features, or densities of which a theory says nothing."""
  n = values["model.n_features"]
  if n < MIN_FEATURES:
    raise refusal("uniform_theory", "model.n_features", n, f"at least {MIN_FEATURES} features")
  uniform.refuse_densities("uniform_theory", "density.base", groups, 0.9)
  largest = max(group.spec.n_hidden for group in groups)
  if largest > n // 2:
    raise refusal("uniform_theory", "model.n_hidden", largest, f"at most {n // 2} of {n} features")


EXPERIMENT = Experiment(
  section="The Geometry of Superposition",
  may_vary=("model.n_features", "model.n_hidden"),
  axes={"m": "model.n_hidden", "density": "density.base"},
  certificates=("block_division", "mean_field"),
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
  of_best=True,
  compares_sizes=True,
)
