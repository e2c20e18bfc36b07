"""Two anticorrelated pairs in a plane: the members of a pair lie opposite to each other.

Paper: "Toy Models of Superposition", section "Correlated and Anticorrelated Features".
Four equally important features in two dimensions; of each pair one member at most is active.

  python -m toy_superposition.main --config=configs/anticorrelated_pairs.py        16 restarts
  python -m toy_superposition.main --config=configs/anticorrelated_pairs.py:quick   8 restarts

Measured on 2 CPU cores, start-up and compilation included: 6 seconds, quick 10.
To expect: a digon per pair, the two digons at right angles; opposite features are never active at
once, so nothing at all is lost. A good part of the trainings ends with members of different pairs
opposite to each other, a local minimum.

The paper shows five models and states no density, optimizer or number of trainings. Each feature
is active with probability .05 here, so a pair with .1; the best arrangement is the same at every
density.
"""

from configs import base

# variant: (restarts, steps, batch size, samples for the loss)
SIZES = {"": (16, 3000, 512, 1_024_000), "quick": (8, 1500, 256, 102_400)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_restarts, steps, batch_size, n_samples = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("anticorrelated_pairs", variant)))
  config.model.n_features = 4
  config.model.n_hidden = 2
  config.data.distribution = "anticorrelated_sets"
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
  config.analysis = "correlated"
  config.figures = ("correlated",)
  return config
