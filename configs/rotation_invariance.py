"""Rotating the hidden layer: no change where it is linear, a useless model where it has a ReLU.

Paper: "Toy Models of Superposition", section "Superposition in a Privileged Basis", which compares
W of the two models. Ten features of importance .75ⁱ in five hidden units, density .1.

  python -m toy_superposition.main --config=configs/rotation_invariance.py        2 models × 8
  python -m toy_superposition.main --config=configs/rotation_invariance.py:quick  2 models × 2

Measured on 2 CPU cores, start-up and compilation included: 12 seconds, quick 11. Most of it is
compilation.
To expect: relative changes of the loss of at most 1e-6 for the first, and of 1 and
more for the other.

The paper states no density for this comparison: at .1 both models have features in superposition.
The model of absolute values is rotated in the experiments named after it.
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
  config.figures = ("rotation_invariance",)
  return config
