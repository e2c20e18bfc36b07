"""Three correlated pairs in a plane: how many of them are collapsed, each to a single direction."""

from toy_superposition.experiments.correlated_collapse.analysis import N_PAIRS, run
from toy_superposition.experiments.correlated_collapse.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in

EXPERIMENT = Experiment(
  section="Collapsing of Correlated Features",
  requires={
    "model.n_features": 2 * N_PAIRS,
    "model.n_hidden": 2,
    "data.distribution": "correlated_sets",
    "data.set_size": 2,
  },
  axes={"density": "density.base"},
  run=run,
  claims=claims,
  of_best=True,
  figure=figure_in(__name__),
)
