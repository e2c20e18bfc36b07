"""The AND of all pairs of inputs: a construction without training against trained layers.

Follow-ups: Hänni, Mendel, Vaintrob, Chan (2024); Newgas (2025), arXiv 2507.09816.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.pairwise_and.analysis import run
from toy_superposition.experiments.pairwise_and.claims import claims
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group

FEATURES = range(4, 15)  # all subsets are enumerated


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for too few or many features, and for features that never or always are
  active."""
  if (n := values["model.n_features"]) not in FEATURES:
    allowed = f"{FEATURES[0]} to {FEATURES[-1]} features"
    raise refusal("pairwise_and", "model.n_features", n, allowed)
  ends = [(g.instances.density.min(), g.instances.density.max()) for g in groups]
  if min(low for low, _ in ends) <= 0 or max(high for _, high in ends) >= 1:
    allowed = "densities above 0 and below 1"
    raise refusal("pairwise_and", "density.base", values["density.base"], allowed)


EXPERIMENT = Experiment(
  section="Computation in Superposition",
  requires={
    "model.name": "relu_layer",
    "data.distribution": "independent",
    "data.value_law": "one",
    "data.target": "pairs",
  },
  may_vary=("model.n_features", "model.n_hidden", "model.neuron_bias", "density.base"),
  axes={"neurons": "model.n_hidden", "density": "density.base", "restart": ""},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
  compares_sizes=True,
)
