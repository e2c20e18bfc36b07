"""Four features in two dimensions, in two pairs whose members are active together.

Paper: "Toy Models of Superposition", section "Correlated and Anticorrelated Features".
All features are equally important.

  python -m toy_superposition.main --config=configs/correlated_pairs.py        16 restarts
  python -m toy_superposition.main --config=configs/correlated_pairs.py:quick   8 restarts

To expect: four arrows of length 1 at right angles. Each feature lies opposite to a member of the
other pair, so loss occurs only when both pairs are active at once: 2p²/3.

The paper shows five models and states no density, optimizer or number of trainings. p = .05 here:
the arrangement is the best one for p ≤ .2. Adam at 1e-2 with a cosine schedule ends in it from
most initial weights.
"""

from toy_superposition.config import base

ABOUT = (
  "Two correlated pairs in a plane: members of a pair are orthogonal, opposite to the other pair's."
)
COST = "6 seconds; quick 6"

# variant: (restarts, steps, batch size, samples for the loss)
SIZES = {"": (16, 3000, 512, 1_024_000), "quick": (8, 1500, 256, 102_400)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_restarts, steps, batch_size, n_samples = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("correlated_pairs", variant)))
  config.model.n_features = 4
  config.model.n_hidden = 2
  config.data.distribution = "correlated_sets"
  config.data.set_size = 2
  config.data.generator = "hash"
  config.density.base = 0.05
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.train.optimizer = "adam"
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  base.set_axes(config, restart=base.restarts(n_restarts))
  config.evaluation.n_samples = n_samples
  config.experiment = "correlated"
  return config
