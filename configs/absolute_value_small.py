"""|x| of three dense features, computed by six neurons.

Paper: "Toy Models of Superposition", section "Computation in Superposition".

  python -m toy_superposition.main --config=configs/absolute_value_small.py        64 restarts
  python -m toy_superposition.main --config=configs/absolute_value_small.py:quick  24 restarts

To expect: in three restarts of four a loss of 0 up to float32, with W₁ W₂ = 1 for each neuron; the
other restarts lack a neuron for one sign of a feature.

Sizes are the paper's. The paper states no density: dense features (p = 1) are the hardest to store
in superposition, so none is to be expected.
"""

from toy_superposition.config import base

ABOUT = "|x| of 3 features in 6 neurons: two neurons per feature, exactly."
COST = "9 seconds; quick 6"

# variant: (restarts, steps)
SIZES = {"": (64, 4000), "quick": (24, 1500)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_restarts, steps = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("absolute_value_small", variant)))
  config.model.name = "absolute_value"
  config.model.n_features = 3
  config.model.n_hidden = 6
  config.data.distribution = "sparse_signed_uniform"
  config.data.target = "absolute"
  config.data.generator = "hash"
  config.density.base = 1.0
  config.train.steps = steps
  config.train.batch_size = 256
  config.train.optimizer = "adam"
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  base.set_axes(config, restart=base.restarts(n_restarts))
  config.evaluation.n_samples = 20_480
  config.experiment = "absolute_value_small"
  return config
