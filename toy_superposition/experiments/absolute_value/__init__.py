"""Computing |x|: two neurons per feature when dense, polysemantic neurons when sparse."""

from toy_superposition.experiments import rotations
from toy_superposition.experiments.absolute_value.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in

EXPERIMENT = Experiment(
  section="Computation in Superposition",
  requires={
    "model.name": "absolute_value",
    "model.n_features": 100,
    "model.n_hidden": 40,
    "data.distribution": "sparse_signed_uniform",
    "data.target": "absolute",
    "importance.profile": "geometric",
    "importance.ratio": 0.8,
    # The counts of neurons depend on it. The paper states no optimizer; the config sets 0.3.
    "train.weight_decay": frozenset({0.0, 0.3}),
  },
  axes={"density": "density.base"},
  measures=("superposition",),
  run=rotations.run,
  claims=claims,
  of_best=True,
  figure=figure_in(__name__),
)
