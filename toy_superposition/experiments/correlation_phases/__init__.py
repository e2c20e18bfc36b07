"""Pairs of features whose indicators have any correlation: where they merge into one direction."""

from toy_superposition.experiments.correlation_phases.analysis import run
from toy_superposition.experiments.correlation_phases.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in

EXPERIMENT = Experiment(
  section="Correlated and Anticorrelated Features",
  requires={
    "data.distribution": "shared_coin",
    "data.set_size": 2,
    "model.n_features": 16,
    "model.n_hidden": 4,
  },
  axes={"density": "density.base", "correlation": "data.correlation", "restart": ""},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  of_best=True,
)
