"""Days of the week and months of the year: features tuned to the angles of a circle.

Paper: "Toy Models of Superposition" assumes features of one dimension; the set-up is that of Olah
and Batson (2023), "Feature Manifold Toy Model": feature i is active near its own angle, with a
cosine that is ℓ half-turns wide, at an amplitude that is one or random.

  python -m toy_superposition.main --config=configs/feature_circle.py        2 × 3 × 2 × 6 × 10
  python -m toy_superposition.main --config=configs/feature_circle.py:quick  1 × 1 × 2 × 3 × 4
  python -m toy_superposition.main --config=configs/feature_circle.py:full   4 × 5 × 2 × 10 × 50

The axis `resolution` is the density ℓ/2, the share of the circle on which a feature is active.

To expect: at ℓ = 1 a ring in two dimensions loses nothing of twelve months at any amplitude, and
.3 % of the variance of seven days, since a ring aliases with an odd number. For ℓ < 1 a random
amplitude costs dimensions, since a bias cannot scale with it. With a small ℓ and one amplitude,
descents from random weights become discrete and end above the one from the ring, which stays even.

Olah and Batson state neither sizes nor optimizer. Here the expected loss over a grid of angles and
amplitudes is minimised (BFGS), so losses are free of noise.
"""

from toy_superposition.config import base

ABOUT = "Days of the week: features tuned to the angles of a circle, from smooth to discrete."
COST = "41 seconds; quick 10 seconds; full was not run"  # on 2 CPU cores
# variant: (numbers of features, hidden dimensions, resolutions ℓ, restarts, steps)
SIZES = {
  "": ((7, 12), (2, 3, 4), (1, 0.8, 0.6, 0.4, 0.3, 0.2), 10, 400),
  "quick": ((7,), (2,), (1, 0.6, 0.2), 4, 100),
  "full": ((7, 8, 12, 24), (2, 3, 4, 5, 6), tuple(k / 10 for k in range(10, 0, -1)), 50, 1000),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  features, hidden, resolutions, n_restarts, steps = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("feature_circle", variant)))
  config.data.distribution = "tuned_circle"
  config.train.estimator = "exact"
  config.train.optimizer = "bfgs"
  config.train.steps = steps
  config.train.batch_size = 1  # nothing is drawn
  base.set_axes(
    config,
    n=base.points("model.n_features", features),
    m=base.points("model.n_hidden", hidden),
    amplitude=base.points("data.amplitude", ("one", "uniform")),
    resolution=base.points("density.base", [0.5 * resolution for resolution in resolutions]),
    restart=base.restarts(n_restarts),
  )
  config.evaluation.method = "exact"
  config.experiment = "feature_circle"
  return config
