"""Which embeddings a loss prefers in a linear readout: exponents from 2 on, and cross-entropy.

Follow-up: Linsefors and co-author (2026); the squared error does not reward superposition here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.loss_exponent.analysis import MOST_FEATURES, run
from toy_superposition.experiments.loss_exponent.claims import claims
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for a model without a bottleneck, and for more features than are drawn."""
  del values
  for group in groups:
    if not 2 < (n := group.spec.n_features) <= MOST_FEATURES:
      raise refusal("loss_exponent", "axis.n", n, f"3 to {MOST_FEATURES} features")


EXPERIMENT = Experiment(
  section="Mathematical Understanding",
  requires={
    "model.name": "untied_linear",
    "model.n_hidden": 2,
    "model.output_bias": False,
    "data.distribution": "exactly_k",
    "data.value_law": "one",
    "loss.reduction": "mean",
    "evaluation.method": "exact",
  },
  axes={"n": "model.n_features", "active": "data.k_active", "loss_name": "", "restart": ""},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
  compares_sizes=True,
  of_best=True,
)
