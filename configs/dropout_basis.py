"""Dropout of hidden units: features spread over units, aligned with them, or removed?

Paper: "Toy Models of Superposition", section "Superposition in a Privileged Basis"; posts of 2023
say that dropout inhibits superposition ("Dropout can create a privileged basis in the ReLU output
model", "Superposition and Dropout") and that it privileges the axes.

  python -m toy_superposition.main --config=configs/dropout_basis.py        2 × 4 × 6 × 16 models
  python -m toy_superposition.main --config=configs/dropout_basis.py:quick  2 × 2 × 2 × 2
  python -m toy_superposition.main --config=configs/dropout_basis.py:full   2 × 8 × 8 × 30

To expect: with at most two features per dimension dropout spreads each feature over all units; with
more it turns the other way, and features gather on fewer units than random directions do. Features
per dimension fall with dropout where there are many. The control, normal noise of the same variance
that is equal in all directions, privileges no basis. Beside what training reached stands the lowest
loss of direct descents, exact over masks and noise.

Chosen here: 4 dimensions, density .05, 3 000 steps of 512 examples, Adam at 5e-3 falling linearly.
"""

from toy_superposition.config import base

ABOUT = "Dropout of hidden units spreads features over units, gathers them there, or removes them."
COST = "98 seconds; quick 10 seconds"  # on 2 CPU cores
# variant: (numbers of features, dropout, restarts, steps, batch size)
SIZES = {
  "": ((4, 8, 10, 12), (0.0, 0.02, 0.1, 0.2, 0.3, 0.5), 16, 3000, 512),
  "quick": ((4, 10), (0.0, 0.3), 2, 200, 128),
  "full": (
    (2, 4, 6, 8, 10, 12, 14, 16),
    (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5),
    *(30, 20_000, 1024),
  ),
}


NOISES = {"dropout": 0.0, "normal": 1.0}  # label → model.isotropic_noise


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  numbers, dropout, n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("dropout_basis", variant)))
  config.model.n_hidden = 4
  config.density.base = 0.05
  config.data.generator = "hash"
  config.train.optimizer = "adam"
  config.train.learning_rate, config.train.schedule = 5e-3, "linear"
  config.train.steps, config.train.batch_size = steps, batch_size
  base.set_axes(
    config,
    noise=base.together({"model.isotropic_noise": tuple(NOISES.values())}, NOISES),
    n=base.points("model.n_features", numbers),
    dropout=base.points("model.dropout", dropout),
    restart=base.restarts(n_restarts),
  )
  config.measures = ()
  config.evaluation.n_samples = 20_480
  config.experiment = "dropout_basis"
  return config
