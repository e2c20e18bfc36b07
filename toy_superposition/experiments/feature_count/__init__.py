"""More and more features in the same dimensions: what depends on their number."""

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.feature_count.analysis import run
from toy_superposition.experiments.feature_count.claims import claims

EXPERIMENT = Experiment(
  section="The Geometry of Superposition",
  may_vary=("loss.reduction",),  # a factor on the loss, and not on feature_loss
  axes={"n": "model.n_features", "m": "model.n_hidden", "density": "density.base"},
  measures=("feature_norm", "dimensions_per_feature"),
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  compares_sizes=True,
  stores_wall_times=True,
)
