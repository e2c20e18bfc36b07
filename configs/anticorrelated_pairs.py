"""Four features in two dimensions, in two pairs of which at most one member is active.

Paper: "Toy Models of Superposition", section "Correlated and Anticorrelated Features".
All features are equally important.

  python -m toy_superposition.main --config=configs/anticorrelated_pairs.py        16 restarts
  python -m toy_superposition.main --config=configs/anticorrelated_pairs.py:quick   8 restarts

To expect: a digon per pair, the two digons at right angles. Opposite features are never active at
once, so nothing at all is lost. A good part of the trainings ends with members of different pairs
opposite to each other, a local minimum.

The paper shows five models and states no density, optimizer or number of trainings. Each feature
is active with probability .05 here, so each pair with .1; the best arrangement does not depend on
the density. Other settings are those of correlated_pairs.py.
"""

from toy_superposition.config import base

ABOUT = "Two anticorrelated pairs in a plane: the members of a pair lie opposite to each other."
COST = "6 seconds; quick 10"

# variant: restarts
SIZES = {"": 16, "quick": 8}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  config = base.shipped(f"correlated_pairs:{variant}")
  config.name = "_".join(filter(None, ("anticorrelated_pairs", variant)))
  config.data.distribution = "anticorrelated_sets"
  config.axis.restart.num = SIZES[variant]
  return config
