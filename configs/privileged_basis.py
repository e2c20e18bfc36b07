"""x
"""

from configs import base

# variant: (restarts, steps)
SIZES = {"": (300, 4000), "quick": (24, 1500), "full": (1000, 10_000)}
# One point in every regime that the paper names, and its .08 and .05 within one.
DENSITIES = (0.75, 0.35, 0.15, 0.12, 0.08, 0.05, 0.03)


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  n_restarts, steps = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("privileged_basis", variant)))
  config.model.name = "relu_hidden"
  config.model.n_features = 10
  config.model.n_hidden = 5
  config.data.generator = "hash"
  config.importance.profile = "geometric"
  config.importance.ratio = 0.75
  config.train.steps = steps
  config.train.batch_size = 256
  config.train.optimizer = "adam"
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  base.set_axes(
    config,
    density=base.points("density.base", DENSITIES),
    restart=base.restarts(n_restarts),
  )
  config.evaluation.n_samples = 5120
  config.analysis = "privileged_basis"
  config.figures = ("privileged_basis",)
  return config
