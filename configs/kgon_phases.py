"""Six features in a plane, one active at a time: which polygons do training and the posterior find?

Paper: "Toy Models of Superposition", section "Learning Dynamics"; the set-up is that of Chen, Lau,
Mendel, Wei & Murfet (2023), "Dynamical versus Bayesian Phase Transitions in a Toy Model of
Superposition": x = a e_i with a uniform on [0, 1] (not binary: with a = 1 every polygon has zero
loss), and noise of variance 1 on the outputs for the posterior.

  python -m toy_superposition.main --config=configs/kgon_phases.py        40 restarts
  python -m toy_superposition.main --config=configs/kgon_phases.py:quick   3 restarts
  python -m toy_superposition.main --config=configs/kgon_phases.py:full  200 restarts

To expect: a few levels of loss, one for each polygon and number of features that their mean
replaces. Most trainings end at the pentagon with one feature replaced, few at the hexagon, which is
the optimum. The posterior goes from squares to pentagons to hexagons with the number of examples.

Chosen here: SGD without momentum at .05, fresh batches of 64 examples, 40 000 steps from Xavier's
weights; a prior of variance 1 on every number; 15 numbers of examples from 20 to 3 000, whose
chains exchange their models. The posterior has the exact loss in the place of the mean over
examples, so that N enters as a temperature alone.
"""

from toy_superposition.config import base

ABOUT = "Polygons of six features in a plane: phases of training and of the posterior."
COST = "30 seconds; quick 10 seconds"  # on 2 CPU cores
# variant: (restarts, steps, stored steps)
SIZES = {"": (40, 40_000, 60), "quick": (3, 2000, 12), "full": (200, 200_000, 120)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  n_restarts, steps, n_stored = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("kgon_phases", variant)))
  config.model.n_features, config.model.n_hidden = 6, 2
  config.data.distribution, config.data.value_law = "one_hot", "uniform"
  config.data.generator = "hash"
  config.train.optimizer = "sgd"
  config.train.momentum = config.train.weight_decay = 0.0
  config.train.learning_rate = 0.05
  config.train.steps = steps
  config.train.batch_size = 64
  base.set_axes(config, restart=base.restarts(n_restarts))
  config.history.num = n_stored
  config.measures = ()
  config.evaluation.n_samples = 20_480  # levels are found by the exact loss instead
  config.experiment = "kgon_phases"
  return config
