"""Computing |x| of three features with six neurons: two neurons of opposite sign per feature."""

from toy_superposition.experiments import rotations
from toy_superposition.experiments.absolute_value_small.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in

EXPERIMENT = Experiment(
  section="Computation in Superposition",
  requires={
    "model.name": "absolute_value",
    "model.n_features": 3,
    "model.n_hidden": 6,
    "data.distribution": "sparse_signed_uniform",
    "data.target": "absolute",
    "density.base": 1.0,
  },
  measures=("superposition",),
  run=rotations.run,
  claims=claims,
  of_best=True,
  figure=figure_in(__name__),
)
