"""Adam and SGD on the same model, whose function has no privileged axes in the hidden layer.

Paper: none of the experiments of "Toy Models of Superposition", but a question about it, raised by
"Privileged Bases in the Transformer Residual Stream", which suspects Adam.

  python -m toy_superposition.main --config=configs/optimizer_basis.py        2 optimizers × 8 seeds
  python -m toy_superposition.main --config=configs/optimizer_basis.py:quick  2 optimizers × 2 seeds

To expect: after Adam, the coordinates of unit columns are closer to each other in size than after a
random rotation (z ≈ −2.6); after SGD they are not (|z| < 1); both losses agree within 2 %.

All settings are ours. Importances of 20 give SGD a learning rate of its own: Adam does not change
when the loss is multiplied by a number, and SGD then takes steps twenty times as large.
"""

from toy_superposition.config import base

ABOUT = "Adam privileges the hidden layer's axes, although the model's function has none."
COST = "17 seconds; quick 6"

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
    config,
    optimizer=base.points("train.optimizer", ("adam", "sgd")),
    restart=base.restarts(n_restarts),
  )
  config.evaluation.n_samples = 20_480
  config.experiment = "optimizer_basis"
  return config
