"""Charges on a sphere move to where their energy is lowest, and solids are made from matrices.

Paper: "Toy Models of Superposition", section "The Geometry of Superposition", with its aside on
polytopes and low-rank matrices. Nothing is trained: the solids are computed from the number of
charges, or from the vectors that their directions are orthogonal to.

  python -m toy_superposition.main --config=configs/thomson.py        24 descents per N
  python -m toy_superposition.main --config=configs/thomson.py:quick   4

Nearly all of the time is start-up.
To expect: digon, triangle, tetrahedron, triangular bipyramid, octahedron, pentagonal bipyramid and
square antiprism for 2 to 8 charges. The square antiprism's dimensionality is .3744, not 3/8.

The paper names Thomson's problem without a computation. The number of descents is chosen here: with
so few charges, all of them end in the same minimum.
"""

from toy_superposition.config import base

ABOUT = "Solids that features form: Thomson's problem, tegum products, polytopes as matrices."
COST = "18 seconds; quick 21"

# variant: descents per number of charges
SIZES = {"": 24, "quick": 4}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  config = base.get_config()
  config.name = "_".join(filter(None, ("thomson", variant)))
  config.model.n_features = 8
  config.model.n_hidden = 3
  config.train.steps = 0
  base.set_axes(config, start=base.restarts(SIZES[variant]))
  config.evaluation.n_samples = 1
  config.measures = ()
  config.experiment = "thomson"
  return config
