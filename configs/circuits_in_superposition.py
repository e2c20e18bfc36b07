"""Many small circuits in one network: what do active circuits do to the others, layer by layer?

Paper: "Toy Models of Superposition", section "Computation in Superposition"; follow-ups by Bushnaq
and Mendel (2024), "Circuits in Superposition", and Linsefors and Bushnaq (2025), "Circuits in
Superposition 2". T = 557 circuits of four neurons share 1 000 neurons, which are 250 blocks; a
circuit writes to S = 6 blocks and reads their mean, and two circuits share at most one block.
Nothing is trained: the weights are a construction, and the package's own models take no step.

  python -m toy_superposition.main --config=configs/circuits_in_superposition.py        10 seeds
  python -m toy_superposition.main --config=configs/circuits_in_superposition.py:quick   3 seeds

To expect: with a step at 1/2 for every circuit by itself no circuit errs while at most S/2 are
active. In a network of 1 000 neurons, in which what circuits write adds up before the neurons'
thresholds, errors grow from layer to layer; with an eighth of the circuits and a uniform inhibition
they stay small for one active circuit.

The follow-up's matrices are not restated here: blocks of circuits are lines of a finite plane,
drawn anew for every layer, and the inhibition is ours.
"""

from toy_superposition.config import base

ABOUT = "Many small circuits in one network: interference by layer, without any training."
COST = "7 seconds; quick 6 seconds"  # on 2 CPU cores
SIZES = {"": 10, "quick": 3}  # variant: seeds


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  config = base.get_config()
  config.name = "_".join(filter(None, ("circuits_in_superposition", variant)))
  config.model.n_features = 557  # circuits
  config.model.n_hidden = 1
  config.train.steps = 0
  config.evaluation.n_samples = 1
  base.set_axes(config, restart=base.restarts(SIZES[variant]))
  config.measures = ()
  config.experiment = "circuits_in_superposition"
  return config
