"""|x| of six features of importance .7ⁱ, computed by ten neurons, at density .2.

Paper: "Toy Models of Superposition", section "Computation in Superposition", "The Asymmetric
Superposition Motif".

  python -m toy_superposition.main --config=configs/asymmetric_superposition.py        64 restarts
  python -m toy_superposition.main --config=configs/asymmetric_superposition.py:quick  24 restarts

To expect: the motif in about nine restarts of ten, and twice in the one of lowest loss.

The paper states neither sizes nor density nor importances of the model that it shows: sizes are a
reader's reconstruction, and at this density the motif is more frequent than at .1 or .3. Training
is that of absolute_value_small.py, with 5 000 steps.
"""

from toy_superposition.config import base

ABOUT = "One neuron for two features with unequal weights, another that inhibits the wrong output."
COST = "10 seconds; quick 9"

# variant: (restarts, steps)
SIZES = {"": (64, 5000), "quick": (24, 1500)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_restarts, steps = SIZES[variant]
  config = base.shipped("absolute_value_small")
  config.name = "_".join(filter(None, ("asymmetric_superposition", variant)))
  config.model.n_features = 6
  config.model.n_hidden = 10
  config.density.base = 0.2
  config.importance.profile = "geometric"
  config.importance.ratio = 0.7
  config.train.steps = steps
  config.axis.restart.num = n_restarts
  config.experiment = "asymmetric_superposition"
  return config
