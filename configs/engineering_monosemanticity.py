"""Neurons that begin with a negative bias: monosemantic after training, and at what loss?

Paper: "Toy Models of Superposition", section "Superposition in a Privileged Basis"; follow-up:
Jermyn, Schiefer and Hubinger (2022), "Engineering Monosemanticity in Toy Models". A layer of k
ReLU neurons decodes n sparse features from m < n dimensions, into which a fixed random embedding P
puts them: y = W_out ReLU(W_in P x + b). It is trained from the initial bias 0, and from negative
ones at which all neurons are silent until the decay of biases wakes them.

  python -m toy_superposition.main --config=configs/engineering_monosemanticity.py        60 models
  python -m toy_superposition.main --config=configs/engineering_monosemanticity.py:quick   8
  python -m toy_superposition.main --config=configs/engineering_monosemanticity.py:full    20

To expect: from −1 up to a third of the neurons respond to one feature alone, from 0 none, at a loss
that is the same or lower. The more neurons, the more features have one of their own: from twice as
many neurons as features on, three quarters of them.

Published, in :full: n = 512, m = 64, p = 1/64, k = 1 024 and others, LAMB, weights uniform with
deviation 1/√(3 inputs), biases −1 or 0. The authors' code has 131 072 steps of 8 192 examples with
rates of .003 to .007 on a cosine that returns, a decay of biases of .03 times the rate for half of
them, and divides by nothing the sum over features; neither suits a few minutes. Chosen here: normal
weights, one falling cosine from .01, and a decay of .3, so that neurons wake within 3 000 steps.
The default keeps 2 active features of 64 in 16 dimensions.
"""

from toy_superposition.config import base

ABOUT = (
  "Neurons that begin with a negative bias end with one feature each, at nearly the same loss."
)
COST = "47 seconds; quick 15 seconds"  # on 2 CPU cores
# variant: (features, dimensions, density, neurons, biases, embeddings, steps, batch size)
SIZES = {
  "": (64, 16, 1 / 32, (32, 64, 128, 256), (0.0, -0.5, -1.0), 5, 3000, 256),
  "quick": (16, 8, 1 / 8, (16, 32), (0.0, -1.0), 2, 200, 128),
  "full": (512, 64, 1 / 64, (512, 1024, 2048), (0.0, -1.0), 5, 20_000, 1024),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  n, m, density, neurons, biases, n_seeds, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("engineering_monosemanticity", variant)))
  config.model.name, config.model.n_features = "relu_layer", n
  config.data.input, config.data.n_dimensions = "dictionary", m
  config.density.base = density
  config.data.generator = "hash"
  config.init.scheme, config.init.scale = "constant", 3**-0.5
  config.model.fan_in, config.model.output_bias = True, False
  config.train.optimizer, config.train.bias_decay = "lamb", 0.3
  config.train.learning_rate, config.train.schedule = 1e-2, "cosine"
  config.train.steps, config.train.batch_size = steps, batch_size
  base.set_axes(
    config,
    neurons=base.points("model.n_hidden", neurons),
    bias=base.points("model.neuron_bias", biases),
    embedding=base.points("data.dictionary", tuple(range(n_seeds))),
  )
  config.measures = ()
  config.evaluation.n_samples = 20_480
  config.experiment = "engineering_monosemanticity"
  return config
