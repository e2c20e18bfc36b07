"""Solids that features form: Thomson's problem, tegum products, polytopes as matrices.

Paper: "Toy Models of Superposition", section "The Geometry of Superposition", with its aside on
polytopes and low-rank matrices. Nothing is trained: charges on a sphere are moved to where their
energy is least, and solids are made of what their matrix is orthogonal to.

  python -m toy_superposition.main --config=configs/thomson.py        24 descents per N
  python -m toy_superposition.main --config=configs/thomson.py:quick   4

Measured on 2 CPU cores, start-up and compilation included: 18 seconds, quick 21. Nearly all of it
is start-up.
To expect: digon, triangle, tetrahedron, triangular bipyramid, octahedron, pentagonal bipyramid and
square antiprism for 2 to 8 charges; the last one's dimensionality is .3744 and not 3/8.

The paper names Thomson's problem without a computation. The number of descents is ours: all of
them end in the same minimum for so few charges.
"""

from configs import base

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
  config.analysis = "thomson"
  config.figures = ("thomson",)
  return config
