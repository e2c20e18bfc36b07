"""Many equally important features in fewer dimensions: which share of them is represented?

Paper: "Toy Models of Superposition", section "The Geometry of Superposition", uniform
superposition. The question is that of Guo, Liu and Gore (2026), on the change from partial to full
representation, which is known here by its abstract alone; the Gaussian mean field
(theory/mean_field.py) is our own derivation.

  python -m toy_superposition.main --config=configs/partial_representation.py        5 × 10 m × 5
  python -m toy_superposition.main --config=configs/partial_representation.py:quick  2 × 4 × 2
  python -m toy_superposition.main --config=configs/partial_representation.py:full   1 024 features

To expect: below a critical width, at m / n = .2585 for p = .1 in the mean field, the loss falls
linearly with m, since every dimension takes the same load of features, 3.87, and the others are
ignored; above it, all are represented. Trained models pack better than the mean field: they save a
quarter more per dimension, and represent all features already at a smaller width.

Chosen here: 128 features, 2 000 steps of 512 examples, Adam at 3e-3 falling linearly to 0. The
unequal densities fall from .277 to .021, with the mean .1.
"""

from toy_superposition.config import base

ABOUT = "From partial to full representation: load, critical width and the mean field."
COST = "77 seconds; quick 15 seconds"  # on 2 CPU cores
# Label → (density of the first feature, ratio of the next one's to it) for 128 features.
FEATURES = {
  "p = 0.05": (0.05, 1.0),
  "p = 0.1": (0.1, 1.0),
  "p = 0.2": (0.2, 1.0),
  "p = 0.3": (0.3, 1.0),
  "unequal, mean 0.1": (0.276854, 0.98),
}
MANY = FEATURES | {"unequal, mean 0.1": (0.279307, 0.9974779)}  # for 1 024 features
QUICK = {name: FEATURES[name] for name in ("p = 0.1", "p = 0.3")}
# variant: (features and their densities, n, widths m, restarts, steps, batch size)
SIZES = {
  "": (FEATURES, 128, (4, 8, 12, 16, 20, 24, 32, 40, 48, 64), 5, 2000, 512),
  "quick": (QUICK, 32, (2, 4, 8, 16), 2, 200, 128),
  "full": (MANY, 1024, (32, 64, 96, 128, 160, 192, 256, 320, 384, 512), 10, 10_000, 1024),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  features, n, widths, n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("partial_representation", variant)))
  config.model.n_features = n
  config.data.generator = "hash"
  config.density.profile = "geometric"
  config.train.optimizer = "adam"
  config.train.learning_rate = 3e-3
  config.train.schedule = "linear"
  config.train.steps = steps
  config.train.batch_size = batch_size
  densities, falls = zip(*features.values(), strict=True)
  base.set_axes(
    config,
    features=base.together({"density.base": densities, "density.ratio": falls}, features),
    restart=base.restarts(n_restarts),
    m=base.points("model.n_hidden", widths),
  )
  config.measures = ("feature_norm",)
  config.evaluation.n_samples = 51_200
  config.experiment = "partial_representation"
  return config
