"""Compressed sensing: how many features sparsity lets a model recover, and geometry lets it place.

Paper, appendix "Connection to Compressed Sensing", and its remark on almost orthogonal vectors.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments import uniform
from toy_superposition.experiments.compressed_sensing.analysis import COUNTS, run
from toy_superposition.experiments.compressed_sensing.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for too few features or dimensions, for more dimensions than vectors that are
  spread out in them, and for densities without a 1/p."""
  name = "compressed_sensing"
  uniform.refuse_few_features(name, values)
  if values["model.n_hidden"] >= max(COUNTS):
    needed = f"{max(COUNTS)} vectors in fewer dimensions"
    raise refusal(name, "model.n_hidden", values["model.n_hidden"], needed)
  uniform.refuse_densities(name, "axis.density", groups, highest=1.0)


EXPERIMENT = Experiment(
  section="Appendix: Connection to Compressed Sensing",
  requires={"loss.reduction": uniform.REDUCTIONS},
  may_vary=("model.n_features", "model.n_hidden"),
  axes={"density": "density.base"},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
)
