"""One neuron for two features with unequal weights, and a second that inhibits the mistake.

Paper: "Toy Models of Superposition", section "Computation in Superposition", "The Asymmetric
Superposition Motif". |x| of six features of importance .7ⁱ in ten neurons, density .2.

  python -m toy_superposition.main --config=configs/asymmetric_superposition.py        64 restarts
  python -m toy_superposition.main --config=configs/asymmetric_superposition.py:quick  24 restarts

Measured on 2 CPU cores, start-up and compilation included: 10 seconds, quick 9.
To expect: the motif in about nine restarts of ten, and twice in the one of least loss.

The paper states neither sizes nor density nor importances of the model that it shows: sizes are a
reader's reconstruction, and at this density the motif is more frequent than at .1 or .3.
"""

from configs import base

# variant: (restarts, steps)
SIZES = {"": (64, 5000), "quick": (24, 1500)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_restarts, steps = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("asymmetric_superposition", variant)))
  config.model.name = "absolute_value"
  config.model.n_features = 6
  config.model.n_hidden = 10
  config.data.distribution = "sparse_signed_uniform"
  config.data.target = "absolute"
  config.data.generator = "hash"
  config.density.base = 0.2
  config.importance.profile = "geometric"
  config.importance.ratio = 0.7
  config.train.steps = steps
  config.train.batch_size = 256
  config.train.optimizer = "adam"
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  base.set_axes(config, restart=base.restarts(n_restarts))
  config.evaluation.n_samples = 20_480
  config.analysis = "asymmetric_superposition"
  config.figures = ("asymmetric_superposition",)
  return config
