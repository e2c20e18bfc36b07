"""A ReLU in the hidden layer: which features get a neuron to themselves, from dense to sparse."""

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.privileged_basis.analysis import run
from toy_superposition.experiments.privileged_basis.claims import claims

EXPERIMENT = Experiment(
  section="Superposition in a Privileged Basis",
  requires={
    "model.name": "relu_hidden",
    "model.n_features": 10,
    "model.n_hidden": 5,
    "importance.profile": "geometric",
    "importance.ratio": 0.75,
  },
  axes={"density": "density.base"},
  run=run,
  claims=claims,
  of_best=True,
  figure=figure_in(__name__),
)
