"""Three correlated pairs in a plane: a hexagon, the members of a pair side by side.

Paper: "Toy Models of Superposition", section "Correlated and Anticorrelated Features".
Six equally important features in two dimensions; the two members of a pair are active together.

  python -m toy_superposition.main --config=configs/correlated_hexagon.py        32 restarts
  python -m toy_superposition.main --config=configs/correlated_hexagon.py:quick   8 restarts

Measured on 2 CPU cores, start-up and compilation included: 9 seconds, quick 7.
To expect: six arrows of about one length, those of a pair 64° apart and next to each other. Many
trainings end with one pair as a single direction or with a feature missing, local minima whose
loss is a few per cent larger or more.

The paper shows five models and states no density, optimizer or number of trainings. p = .02 here:
the hexagon is the best arrangement for p ≤ .05, and clearly so where features are rare.
"""

from configs import base

# variant: (restarts, steps, batch size, samples for the loss)
SIZES = {"": (32, 3000, 512, 1_024_000), "quick": (8, 1500, 256, 102_400)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_restarts, steps, batch_size, n_samples = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("correlated_hexagon", variant)))
  config.model.n_features = 6
  config.model.n_hidden = 2
  config.data.distribution = "correlated_sets"
  config.data.set_size = 2
  config.data.generator = "hash"
  config.density.base = 0.02
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
