"""n features of importance 1 in m dimensions, n ≫ m, for 40 densities with 1/(1 − S) from 1 to 10.

Paper: "Toy Models of Superposition", section "The Geometry of Superposition": n = 400, m = 30. Its
notebook draws the same figure for n = 200, m = 20, the default here; the number of features does
not matter while most are absent.

  python -m toy_superposition.main --config=configs/uniform_geometry.py        40 densities × 2
  python -m toy_superposition.main --config=configs/uniform_geometry.py:quick  n = 100, 9 densities
  python -m toy_superposition.main --config=configs/uniform_geometry.py:full   the paper's sizes

To expect: D* = 1 while features are dense, lines at 3/4 and 2/3, a plateau of digons at 1/2 for
1/(1 − S) from 1.7 to 4; after it pentagons and square antiprisms, beside arrangements in which all
features are alike; and a continuum from 5 on. Over them, what theory says without training: which
polytope makes the best use of a dimension at each density.

Some models are then trained again: for fewer steps, which gives blurred lines, and on values of
other laws, of which more share a dimension the higher their kurtosis.

The paper states neither steps, batch size nor optimizer. Chosen here: Adam decaying to 0 by a
cosine, with a slow first moment (0.99). For 1/(1 − S) < 1.6 a polytope is better than any other
subspace of m dimensions by 1 to 5 % of a feature's variance per dimension: training does not find
one in 4 000 steps, nor in 1 000 with batches four times as large; in 12 000 it begins to.
"""

from toy_superposition.config import base

ABOUT = "Equally important features: how many share a dimension, and in which shapes."
COST = "5 to 9 minutes; quick 20 seconds; full was not run"

# variant: (features, hidden dimensions, densities, restarts, steps, batch size)
SIZES = {
  "": (200, 20, 40, 2, 12_000, 1024),
  "quick": (100, 10, 9, 1, 4000, 128),
  "full": (400, 30, 50, 4, 30_000, 1024),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  n_features, n_hidden, n_densities, n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("uniform_geometry", variant)))
  config.model.n_features = n_features
  config.model.n_hidden = n_hidden
  config.train.optimizer = "adam"
  config.train.b1 = 0.99
  config.train.weight_decay = 0.0
  config.train.learning_rate = 6e-3
  config.train.schedule = "cosine"
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.data.generator = "hash"
  base.set_axes(
    config,
    density=base.log("density.base", 1, 0.1, n_densities),
    restart=base.restarts(n_restarts),
  )
  config.evaluation.n_samples = 2048
  config.experiment = "uniform_geometry"
  return config
