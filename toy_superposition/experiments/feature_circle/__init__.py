"""Features tuned to the angles of a circle: a ring, and where it becomes discrete.

Follow-up: Olah and Batson (2023), "Feature Manifold Toy Model".
"""

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.feature_circle.analysis import run
from toy_superposition.experiments.feature_circle.claims import claims

EXPERIMENT = Experiment(
  section="The Geometry of Superposition",
  requires={"data.distribution": "tuned_circle", "evaluation.method": "exact"},
  axes={
    "n": "model.n_features",
    "m": "model.n_hidden",
    "amplitude": "data.amplitude",
    "resolution": "density.base",
    "restart": "",
  },
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  compares_sizes=True,
  of_best=True,
)
