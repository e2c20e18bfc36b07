"""n = 20 features of importance 0.7ⁱ in m = 5 dimensions, seven densities, both models.

Paper: "Toy Models of Superposition", section "Demonstrating Superposition", basic results.

  python -m toy_superposition.main --config=configs/demonstration.py        best of 8
  python -m toy_superposition.main --config=configs/demonstration.py:quick  best of 2

To expect: the linear model represents the 5 most important features at every density. So does the
ReLU model if features are dense; the sparser they are, the more of them it represents, as antipodal
pairs first and then all of them together, with negative biases.

The paper states neither steps, batch size nor optimizer. Chosen here: Adam at 1e-2 decaying to 0
by a cosine, without weight decay, which would shorten the unimportant features; restarts are ours.
"""

from toy_superposition.config import base

ABOUT = "Which features a linear and a ReLU model represent, by density: n = 20 in m = 5."
COST = "31 seconds; quick 10"

DENSITIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
# variant: (restarts, steps, batch size)
SIZES = {"": (8, 5000, 512), "quick": (2, 2000, 256)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("demonstration", variant)))
  config.model.n_features = 20
  config.model.n_hidden = 5
  config.importance.profile = "geometric"
  config.importance.ratio = 0.7
  config.train.optimizer = "adam"
  config.train.weight_decay = 0.0
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.data.generator = "hash"
  if variant == "quick":
    config.train.estimator = "blocked"  # slower than the one that auto chooses, but compiled sooner
  base.set_axes(
    config,
    model=base.points("model.name", ("linear", "relu_output")),
    density=base.points("density.base", DENSITIES),
    restart=base.restarts(n_restarts),
  )
  config.experiment = "demonstration"
  return config
