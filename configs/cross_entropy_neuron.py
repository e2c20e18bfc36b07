"""Four equally likely, mutually exclusive features imply a token each; one neuron fires or not.

Paper: "Towards Monosemanticity" (Bricken et al., 2023), a follow-up of "Toy Models of
Superposition".
The next token is predicted from whether the neuron fires, and from nothing else. Firing on one
feature costs ¾ ln 3 = .824 nats, firing on two costs ln 2 = .693. Under squared error both cost the
same.

  python -m toy_superposition.main --config=configs/cross_entropy_neuron.py        64 restarts
  python -m toy_superposition.main --config=configs/cross_entropy_neuron.py:quick   8

Nearly all of the time is start-up and compilation.
To expect: the best restart fires on two features under cross-entropy, on any number under squared
error; with unequal importances, squared error prefers a neuron that singles out one feature.

The source computes the losses and trains nothing. The training is ours, in the experiment's
analysis: the neuron fires with probability σ of a weight per feature, its output is 0 or 1, and
Adam minimises the expected loss.
"""

from toy_superposition.config import base

ABOUT = "One binary neuron that predicts the next token: polysemantic without any superposition."
COST = "13 seconds; quick 7"  # on 2 CPU cores

# variant: restarts
SIZES = {"": 64, "quick": 8}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  config = base.get_config()
  config.name = "_".join(filter(None, ("cross_entropy_neuron", variant)))
  config.model.n_features = 4
  config.model.n_hidden = 1
  config.train.steps = 0
  base.set_axes(config, restart=base.restarts(SIZES[variant]))
  config.evaluation.n_samples = 1
  config.measures = ()
  config.experiment = "cross_entropy_neuron"
  return config
