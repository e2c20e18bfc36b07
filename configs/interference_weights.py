"""Virtual weights of models in superposition: which are a circuit, which are interference?

Paper: "Toy Models of Superposition", section "Computation in Superposition"; the set-ups are those
of Olah, Turner and Conerly (July 2025), "Interference Weights", a note of Transformer Circuits. (a)
easy: a tied model stores 100 features in 20 dimensions at a density of .02. (b) hard: an untied
model computes ReLU(A x − .1) of 128 features through 16 dimensions at a density of .3; A has 8
diagonal blocks in which a tenth of the weights are uniform on [0, 1). Frozen: (b) with random
columns of norm 1 that lead down, and only the way up trained.

  python -m toy_superposition.main --config=configs/interference_weights.py        3 × 10 models
  python -m toy_superposition.main --config=configs/interference_weights.py:quick  3 × 3, few steps

To expect: in (a) the diagonal is real and every ranking finds it; in (b) somewhat less than one
weight in a hundred is real, and expected attribution finds the first half of them without a
mistake, as does U with its sign: the largest interference weights are negative, and so |U| makes
mistakes from the beginning. With frozen columns every ranking but ΔL does.

The note states neither steps, learning rates nor seeds. Chosen here: Adam at 3e-3 falling to 0 by a
cosine; 1 000 steps of 512 examples for (a), 4 000 for (b). A weight is real if the loss rises by
more than 1e-4 without it. The note's second definition of interference, U − U*, takes for U* what
tuning without a bottleneck can reach at best: A, or the identity in (a), for outputs that can fire.
"""

from toy_superposition.config import base

ABOUT = "Virtual weights in superposition: which are a circuit, and which are interference."
COST = "34 seconds; quick 15 seconds"  # on 2 CPU cores
# Label → (model, features, dimensions, density, target, whether the encoder is frozen, steps).
SETUPS = {
  "a: easy": ("relu_output", 100, 20, 0.02, "identity", False, 1000),
  "b: hard": ("untied_relu", 128, 16, 0.3, "block_circuit", False, 4000),
  "c: frozen": ("untied_relu", 128, 16, 0.3, "block_circuit", True, 4000),
}
FIELDS = (
  *("model.name", "model.n_features", "model.n_hidden", "density.base", "data.target"),
  *("model.frozen_encoder", "train.steps"),
)
# variant: (seeds, factor on the steps, batch size, samples)
SIZES = {"": (10, 1.0, 512, 2**15), "quick": (3, 0.1, 256, 2**13)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_seeds, factor, batch_size, n_samples = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("interference_weights", variant)))
  config.data.generator = "hash"
  config.train.optimizer = "adam"
  config.train.learning_rate = 3e-3
  config.train.schedule = "cosine"
  config.train.batch_size = batch_size
  columns = zip(*SETUPS.values(), strict=True)
  values = dict(zip(FIELDS, columns, strict=True))
  values["train.steps"] = tuple(int(factor * steps) for steps in values["train.steps"])
  base.set_axes(config, setup=base.together(values, SETUPS), restart=base.restarts(n_seeds))
  config.measures = ()
  config.evaluation.n_samples = n_samples
  config.experiment = "interference_weights"
  return config
