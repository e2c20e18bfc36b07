"""n = 80 features of importance 0.9ⁱ in m = 20 dimensions, seven densities, both models.

Paper: "Toy Models of Superposition", section "Demonstrating Superposition", basic results.

  python -m toy_superposition.main --config=configs/demonstration_large.py        best of 3
  python -m toy_superposition.main --config=configs/demonstration_large.py:quick  one of each

To expect: the ReLU model progresses with sparsity as it does with 20 features (demonstration.py).

Settings are those of demonstration.py, for the reasons given there.
"""

from toy_superposition.config import base

ABOUT = "The basic results four times as large: n = 80 features in m = 20 dimensions."
COST = "52 seconds; quick 13"

# variant: (restarts, steps, batch size)
SIZES = {"": (3, 6000, 512), "quick": (1, 1500, 256)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_restarts, steps, batch_size = SIZES[variant]
  config = base.shipped("demonstration")
  config.name = "_".join(filter(None, ("demonstration_large", variant)))
  config.model.n_features = 80
  config.model.n_hidden = 20
  config.importance.ratio = 0.9
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.axis.restart.num = n_restarts
  return config
