"""Five features in two dimensions, four of them active with probability p = .05, feature 0 with ρp.

Paper: "Toy Models of Superposition", section "The Geometry of Superposition", non-uniform
superposition: one feature's density is varied. All features are equally important.

  python -m toy_superposition.main --config=configs/nonuniform_density.py        41 ρ × 12
  python -m toy_superposition.main --config=configs/nonuniform_density.py:quick  7 ρ × 5

To expect: a denser feature 0 pushes its neighbours away, a sparser one lets them come closer; below
ρ ≈ .27 two digons without feature 0 are better. Both arrangements are local minima on both sides of
the change, so it is abrupt. The paper's text says that it happens at 2.5 times sparser, ρ = .4; the
exact losses of the two arrangements at p = .05 do not cross there.

The paper states n, m, p and that the best of several trainings is kept; it states neither the range
of ρ, nor the number of trainings, nor the optimizer. Here the expected loss itself is minimised
(BFGS), so the curves of local minima are free of noise.
"""

from toy_superposition.config import base

ABOUT = (
  "One of five features is denser or sparser than the others: the pentagon stretches, then snaps."
)
COST = "18 seconds; quick 12"

# variant: (points of ρ, restarts, steps)
SIZES = {"": (41, 12, 120), "quick": (7, 5, 60)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_points, n_restarts, steps = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("nonuniform_density", variant)))
  config.model.n_features = 5
  config.model.n_hidden = 2
  config.density.profile = "first_apart"
  config.density.base = 0.05
  config.train.estimator = "exact"
  config.train.optimizer = "bfgs"
  config.train.steps = steps
  config.train.batch_size = 1
  base.set_axes(
    config,
    relative_density=base.log("density.ratio", 0.1, 10, n_points),
    restart=base.restarts(n_restarts),
  )
  config.evaluation.method = "exact"
  config.experiment = "nonuniform_density"
  return config
