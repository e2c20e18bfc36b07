"""What a loss is made of: feature benefit against interference, and its share by active features.

Paper: "Toy Models of Superposition", section "Mathematical Understanding".
n = 5 features of importance 0.9ⁱ in m = 2 dimensions, both models, over density. The linear
model's loss is a sum of two terms, and no interference is worth its feature. The ReLU model's is a
sum over how many features are active; with one at a time, negative interference is free.

  python -m toy_superposition.main --config=configs/feature_benefit.py        13 densities × 8
  python -m toy_superposition.main --config=configs/feature_benefit.py:quick  5 densities × 4

Measured on 2 CPU cores, start-up and compilation included: 14 seconds, quick 12.
To expect: interference 0 in the linear model at every density, and growing with sparsity in the
other; the expected loss, its parts, and millions of examples agree. Without biases, the least
energy of interference is 0 for up to 2m features.

The paper gives formulas here and no experiment. Chosen: the size of its introduction, and BFGS on
the expected loss, without sampling.
"""

from configs import base

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
  config.analysis = "feature_benefit"
  config.figures = ("feature_benefit",)
  return config
