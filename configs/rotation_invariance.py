"""x
"""

from configs import base

# variant: (restarts, steps)
SIZES = {"": (8, 3000), "quick": (2, 1000)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_restarts, steps = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("rotation_invariance", variant)))
  config.model.n_features = 10
  config.model.n_hidden = 5
  config.data.generator = "hash"
  config.density.base = 0.1
  config.importance.profile = "geometric"
  config.importance.ratio = 0.75
  config.train.steps = steps
  config.train.batch_size = 256
  config.train.optimizer = "adam"
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  base.set_axes(
    config,
    model=base.points("model.name", ("relu_output", "relu_hidden")),
    restart=base.restarts(n_restarts),
  )
  config.evaluation.n_samples = 20_480
  config.analysis = "rotation_invariance"
  return config
