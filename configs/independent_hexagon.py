"""Six features in two dimensions, active independently of each other.

Paper: "Toy Models of Superposition", section "Correlated and Anticorrelated Features": a footnote
to its hexagon of three correlated pairs.
All features are equally important.

  python -m toy_superposition.main --config=configs/independent_hexagon.py        32 restarts
  python -m toy_superposition.main --config=configs/independent_hexagon.py:quick   8 restarts

To expect: nine of ten trainings end in a pentagon with a weak sixth feature on top of a strong one.
The others end in a regular hexagon, whose expected loss is 4 % smaller. The paper says that
independent features are never embedded as a hexagon, which is true of most trainings but not of
the optimum.

The paper states nothing else about this case. Density (p = .05) and number of steps are chosen
here; other settings are those of correlated_hexagon.py. The loss is the exact expectation.
"""

from toy_superposition.config import base

ABOUT = "Six independent features in a plane: a hexagon is best, and training seldom finds it."
COST = "10 seconds; quick 8"

# variant: steps
SIZES = {"": 4000, "quick": 1500}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  config = base.shipped(f"correlated_hexagon:{variant}")
  config.name = "_".join(filter(None, ("independent_hexagon", variant)))
  config.data.distribution = "sparse_uniform"
  config.data.set_size = 1
  config.density.base = 0.05
  config.train.steps = SIZES[variant]
  config.evaluation.method = "exact"
  config.evaluation.n_samples = 102_400  # without effect: exact samples nothing
  return config
