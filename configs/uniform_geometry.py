"""n = 400 features of importance 1 in m = 30 dimensions, 50 densities with 1/(1 − S) from 1 to 10.

Paper: "Toy Models of Superposition", section "The Geometry of Superposition".

  python -m toy_superposition.main --config=configs/uniform_geometry.py        50 densities × 2
  python -m toy_superposition.main --config=configs/uniform_geometry.py:quick  n = 100, 9 densities
  python -m toy_superposition.main --config=configs/uniform_geometry.py:full   10 000 steps of 1 024

To expect: D* = 1 while features are dense, a plateau of digons at 1/2 for 1/(1 − S) from 2.1 to 4;
after it pentagons and square antiprisms, beside arrangements in which all features are alike; and a
continuum from 6 on.

The paper states neither steps, batch size nor optimizer. Chosen here: Adam decaying to 0 by a
cosine, with a slow first moment (0.99), which in equal time reaches lower losses and cleaner digons
than 0.9. For 1/(1 − S) < 2 a basis is only slightly better than any other subspace of m dimensions:
batches of 256 are too noisy to find it, those of 1 024 begin to show triangles and tetrahedra.
"""

from toy_superposition.config import base

ABOUT = "Equally important features: how many share a dimension, and in which shapes."
COST = "10 and a half minutes; quick 12 seconds; full was not run"

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
