"""Words about a point of a manifold: correlated features take the manifold's geometry.

Follow-up: arXiv 2603.09972 (ICLR 2026).
"""

from toy_superposition.experiments.correlated_geometry.analysis import run
from toy_superposition.experiments.correlated_geometry.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in

EXPERIMENT = Experiment(
  section="Correlated and Anticorrelated Features",
  requires={
    "data.distribution": "bag_of_words",
    "data.concentration": 10.0,
    "evaluation.method": "exact",
    "model.n_features": 12,
  },
  may_vary=("train.decay_biases",),
  axes={
    "manifold": "data.manifold",
    "model": "model.name",
    "m": "model.n_hidden",
    "decay": "train.weight_decay",
    "restart": "",
  },
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  compares_sizes=True,
)
