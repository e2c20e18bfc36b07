"""x
"""

from configs import base

# variant: (densities, seeds, steps, batch)
DENSITIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
SIZES = {"": (DENSITIES, 1, 3000, 512), "quick": ((1.0, 0.03, 0.001), 1, 150, 256)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  densities, n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("absolute_value", variant)))
  config.model.name = "absolute_value"
  config.model.n_features = 100
  config.model.n_hidden = 40
  config.data.distribution = "sparse_signed_uniform"
  config.data.target = "absolute"
  config.data.generator = "hash"
  config.importance.profile = "geometric"
  config.importance.ratio = 0.8
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.train.optimizer = "adamw"
  config.train.weight_decay = 0.1
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  base.set_axes(
    config, density=base.points("density.base", densities), restart=base.restarts(n_restarts)
  )
  config.evaluation.n_samples = 20_480
  config.analysis = "absolute_value"
  return config
