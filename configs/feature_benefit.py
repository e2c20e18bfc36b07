"""n = 5 features of importance 0.9ⁱ in m = 2 dimensions, both models, over density.

Paper: "Toy Models of Superposition", section "Mathematical Understanding".
The linear model's loss is a sum of two terms, feature benefit and interference, and no interference
is worth its feature. The ReLU model's loss is a sum over the number of active features; with one
active feature at a time, negative interference is free.

  python -m toy_superposition.main --config=configs/feature_benefit.py        13 densities × 8
  python -m toy_superposition.main --config=configs/feature_benefit.py:quick  5 densities × 4

To expect: interference 0 in the linear model at every density, and growing with sparsity in the
ReLU model; the expected loss, the sum of its parts, and the mean of millions of examples agree.
Without biases, the minimum energy of interference is 0 for up to 2m features.

The paper gives formulas here and no experiment. Chosen: the size of its introduction, and BFGS on
the expected loss, without sampling.
"""

from toy_superposition.config import base

ABOUT = "Parts of the loss: feature benefit against interference, and shares by active features."
COST = "14 seconds; quick 12"

# variant: (densities, restarts, steps)
SIZES = {"": (13, 8, 120), "quick": (5, 4, 100)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_densities, n_restarts, steps = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("feature_benefit", variant)))
  config.model.n_features = 5
  config.model.n_hidden = 2
  config.importance.profile = "geometric"
  config.importance.ratio = 0.9
  config.train.estimator = "exact"
  config.train.optimizer = "bfgs"
  config.train.steps = steps
  config.train.batch_size = 1  # nothing is drawn
  base.set_axes(
    config,
    model=base.points("model.name", ("linear", "relu_output")),
    density=base.log("density.base", 1, 0.03, n_densities),
    restart=base.restarts(n_restarts),
  )
  config.evaluation.method = "exact"
  config.experiment = "feature_benefit"
  return config
