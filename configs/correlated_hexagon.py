"""Six features in two dimensions, in three pairs whose members are active together.

Paper: "Toy Models of Superposition", section "Correlated and Anticorrelated Features".
All features are equally important.

  python -m toy_superposition.main --config=configs/correlated_hexagon.py        32 restarts
  python -m toy_superposition.main --config=configs/correlated_hexagon.py:quick   8 restarts

To expect: six arrows of nearly equal length, the members of a pair 64° apart and next to each
other. Many trainings end with one pair as a single direction or with a feature missing: local
minima whose loss is a few per cent larger or more.

The paper shows five models and states no density, optimizer or number of trainings. p = .02 here:
the hexagon is the best arrangement for p ≤ .05, and clearly so where features are rare. Other
settings are those of correlated_pairs.py.
"""

from toy_superposition.config import base

ABOUT = "Three correlated pairs in a plane: a hexagon, the members of a pair side by side."
COST = "9 seconds; quick 7"

# variant: restarts
SIZES = {"": 32, "quick": 8}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  config = base.shipped(f"correlated_pairs:{variant}")
  config.name = "_".join(filter(None, ("correlated_hexagon", variant)))
  config.model.n_features = 6
  config.density.base = 0.02
  config.axis.restart.num = SIZES[variant]
  return config
