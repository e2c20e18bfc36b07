"""Three features with importances (1, 1, r) and one density p share two hidden dimensions.

Paper: "Toy Models of Superposition", section "Superposition as a Phase Change".
When the extra feature, the third, is more important than the others, it always has a dimension to
itself, and the two others are in superposition or not.

  python -m toy_superposition.main --config=configs/phase_change_three.py         32 × 32 × 10
  python -m toy_superposition.main --config=configs/phase_change_three.py:quick    8 × 8 × 12
  python -m toy_superposition.main --config=configs/phase_change_three.py:full   100 × 100 × 10

To expect: the best restart shows the true optimum's phase in at least 95 % of the cells away from
r = 1 (99.5 %), and for r > 1 the extra feature always has a dimension to itself.

Settings are those of phase_change.py, for the reasons given there, but 2 000 steps of 256 examples.
"""

from toy_superposition.config import base

ABOUT = "The phase change one size up: n = 3 features in m = 2 dimensions."
COST = "23 seconds; quick 15; full was not run"

# variant: (points per axis, restarts, steps, batch size)
SIZES = {"": (32, 10, 2000, 256), "quick": (8, 12, 1000, 256), "full": (100, 10, 10_000, 1024)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  num, n_restarts, steps, batch_size = SIZES[variant]
  config = base.shipped("phase_change")
  config.name = "_".join(filter(None, ("phase_change_three", variant)))
  config.model.n_features = 3
  config.model.n_hidden = 2
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.axis.relative_importance.num = num
  config.axis.density.num = num
  config.axis.restart.num = n_restarts
  return config
