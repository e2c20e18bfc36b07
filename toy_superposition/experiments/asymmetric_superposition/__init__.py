"""One neuron for two features with unequal weights, and another that inhibits the wrong output.

The paper's asymmetric superposition motif.
"""

from toy_superposition.experiments.asymmetric_superposition.analysis import run
from toy_superposition.experiments.asymmetric_superposition.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in

EXPERIMENT = Experiment(
  section="Computation in Superposition",
  requires={
    "model.name": "absolute_value",
    "model.n_features": 6,
    "model.n_hidden": 10,
    "data.distribution": "sparse_signed_uniform",
    "data.target": "absolute",
    "density.base": 0.2,
    "importance.profile": "geometric",
    "importance.ratio": 0.7,
  },
  run=run,
  claims=claims,
  of_best=True,
  figure=figure_in(__name__),
)
