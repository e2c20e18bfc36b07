"""x
"""

from configs import base

# variant: (seeds, steps, batch)
SIZES = {"": (8, 2500, 512), "quick": (2, 150, 256)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("optimizer_basis", variant)))
  config.model.n_features = 64
  config.model.n_hidden = 16
  config.data.generator = "hash"
  config.density.base = 0.05
  config.importance.base = 20.0
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.train.learning_rate = 1e-2
  config.train.weight_decay = 0.0
  config.train.schedule = "cosine"
  base.set_axes(
    config, optimizer=base.points("train.optimizer", ("adam", "sgd")),
    restart=base.restarts(n_restarts)
  )
  config.evaluation.n_samples = 20_480
  config.analysis = "optimizer_basis"
  return config
