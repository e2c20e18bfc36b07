"""Six equally important features in three dimensions, in two sets that are active as a whole.

Paper: "Toy Models of Superposition", section "Learning Dynamics".
Training goes through geometric stages.

  python -m toy_superposition.main --config=configs/learning_dynamics_geometry.py        16 restarts
  python -m toy_superposition.main --config=configs/learning_dynamics_geometry.py:quick   3 restarts

To expect: small random weights; a plateau on which each set is one direction, as in principal
component analysis (loss p/18 per feature); then the members of each set split and end at right
angles, each opposite to a member of the other set: an octahedron (loss p²/6).

The paper states neither density nor optimizer, learning rate, steps or initial weights. Small
initial weights (a tenth of Xavier's) and Adam at a constant 1e-3 make the stages long enough to be
seen; 12 000 steps let partners become opposite.
"""

from toy_superposition.config import base

ABOUT = "Learning as a geometric transformation: two correlated sets of three features in space."
COST = "18 seconds; quick 12"  # on 2 CPU cores

# variant: (restarts, steps, batch size, stored steps)
SIZES = {"": (16, 12_000, 1024, 200), "quick": (3, 3000, 256, 40)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_restarts, steps, batch_size, n_stored = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("learning_dynamics_geometry", variant)))
  config.model.n_features = 6
  config.model.n_hidden = 3
  config.init.scale = 0.1
  config.data.distribution = "correlated_sets"
  config.data.set_size = 3
  config.data.generator = "hash"
  config.density.base = 0.05
  config.loss.reduction = "mean"
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.train.optimizer = "adam"
  config.train.learning_rate = 1e-3
  base.set_axes(config, restart=base.restarts(n_restarts))
  config.history.num = n_stored
  config.evaluation.n_samples = 20_480  # stages are found by the expected loss instead
  config.experiment = "learning_dynamics_geometry"
  return config
