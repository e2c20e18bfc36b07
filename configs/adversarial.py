"""x
"""

from configs import base

# variant: (points, restarts, steps, batch)
SIZES = {"": (12, 2, 2000, 512), "quick": (5, 1, 500, 256)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_points, n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("adversarial", variant)))
  config.model.n_features = 100
  config.model.n_hidden = 10
  config.data.generator = "hash"
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.train.optimizer = "adam"
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  base.set_axes(
    config,
    density=base.log("density.base", 1, 0.1, n_points),
    restart=base.restarts(n_restarts),
  )
  config.evaluation.n_samples = 20_480
  config.analysis = "adversarial"
  return config
