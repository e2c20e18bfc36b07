"""One of five features is denser or sparser than the others: which arrangement is best, and where
it changes."""

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.nonuniform_density.analysis import AXIS, run
from toy_superposition.experiments.nonuniform_density.claims import claims

EXPERIMENT = Experiment(
  section="The Geometry of Superposition",
  requires={"model.n_features": 5, "model.n_hidden": 2, "density.profile": "first_apart"},
  may_vary=("density.base",),  # at others than the paper's, most claims are not decided
  axes={AXIS: "density.ratio"},
  run=run,
  claims=claims,
  of_best=True,
  figure=figure_in(__name__),
)
