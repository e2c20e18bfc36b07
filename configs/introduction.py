"""Five features of importance 0.9ⁱ in two dimensions, at ten densities.

Paper: "Toy Models of Superposition", the figure of the introduction.
If features are dense, the two most important ones get orthogonal directions. If they are sparser,
four are stored as two antipodal pairs; if they are very sparse, all five, as a pentagon.

  python -m toy_superposition.main --config=configs/introduction.py        10 densities × 16
  python -m toy_superposition.main --config=configs/introduction.py:quick  10 densities × 8

To expect: 2, 4 and 5 stored features at densities 1, ≈.2 and ≤ .1.

The paper calls the importances "varying" and states no optimizer. The other settings are those of
its notebook: importances, the ten densities 20^(−k/9), AdamW at 1e-3, 10 000 steps of 1 024
examples, the small initial weights of its initialiser for ten models at once, the mean over
features as loss. Restarts are ours: about one training in three ends in another arrangement.
"""

from toy_superposition.config import base

ABOUT = "Five features in two dimensions: the rarer they are, the more of them are stored."
COST = "13 seconds; quick 7"

# variant: (restarts, steps, batch size)
SIZES = {"": (16, 10_000, 1024), "quick": (8, 10_000, 256)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("introduction", variant)))
  config.model.n_features = 5
  config.model.n_hidden = 2
  config.init.scheme = "notebook"
  config.importance.profile = "geometric"
  config.importance.ratio = 0.9
  config.loss.reduction = "mean"
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.data.generator = "hash"
  base.set_axes(
    config, density=base.log("density.base", 1, 0.05, 10), restart=base.restarts(n_restarts)
  )
  config.evaluation.method = "exact"
  config.experiment = "introduction"
  return config
