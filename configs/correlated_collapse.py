"""Six features in two dimensions, in three pairs whose members are active together.

Paper: "Toy Models of Superposition", section "Collapsing of Correlated Features".
All features are equally important. As pairs get denser, one after another collapses: both of its
columns become equal, as if the pair's mean were stored.

  python -m toy_superposition.main --config=configs/correlated_collapse.py        17 densities × 24
  python -m toy_superposition.main --config=configs/correlated_collapse.py:quick   6 densities × 8

To expect: a hexagon where pairs are rare; from p ≈ .07, .14 and .36 on one, two and three pairs
whose columns are equal, of norm 1/√2. The paper has three collapsed from .25 on: between .25 and
.36 a model with two of them has a lower loss. A single training often ends in either.

The paper names densities for each number of collapsed pairs but neither the optimizer nor the
number of trainings. Several minima compete, so the best of many trainings counts. Densities end at
.8: at p = 1 all features are always active, and sets lose their meaning.
"""

from toy_superposition.config import base

ABOUT = "Three correlated pairs in a plane: pair by pair they collapse to their means, as in PCA."
COST = "14 seconds; quick 11"

# variant: (densities, restarts, steps, batch size)
SIZES = {"": (17, 24, 2500, 1024), "quick": (6, 8, 1000, 256)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_densities, n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("correlated_collapse", variant)))
  config.model.n_features = 6
  config.model.n_hidden = 2
  config.data.distribution = "correlated_sets"
  config.data.set_size = 2
  config.data.generator = "hash"
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.train.optimizer = "adam"
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  base.set_axes(
    config,
    density=base.log("density.base", 0.02, 0.8, n_densities),
    restart=base.restarts(n_restarts),
  )
  config.experiment = "correlated_collapse"
  return config
