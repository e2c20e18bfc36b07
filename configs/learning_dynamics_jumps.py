"""Fifty equally important features in ten dimensions, at a density at which they end as digons.

Paper: "Toy Models of Superposition", section "Learning Dynamics".

  python -m toy_superposition.main --config=configs/learning_dynamics_jumps.py        96 restarts
  python -m toy_superposition.main --config=configs/learning_dynamics_jumps.py:quick   2 restarts

To expect: most features settle early at D = 1/2, two to a dimension. In some restarts one dimension
is left over: a single feature grows slowly in it with little effect on the loss, and when a second
one joins it, both jump to 1/2 and the loss falls. In the other restarts features settle too close
in time for separate jumps to be seen.

The paper says that the set-up is that of uniform superposition and that all features end as digons;
it states neither sizes nor density, steps or initial weights. n = 50, m = 10 and p = .35, in the
middle of the digons' range, show the levels clearly. With a learning rate of 3e-3 one training in
thirteen has two separate jumps, hence so many restarts; with 1e-3, none in 16. Losses at all
recorded steps are computed on the same examples, so that differences are more precise than losses.
"""

from toy_superposition.config import base

ABOUT = "Equal features in superposition: during training, dimensionalities jump between levels."
COST = "80 seconds beside other work; quick 8"

# variant: (restarts, steps, batch size, recorded steps, samples for the loss)
SIZES = {"": (96, 6000, 512, 101, 512), "quick": (2, 1500, 256, 51, 512)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_restarts, steps, batch_size, n_recorded, n_samples = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("learning_dynamics_jumps", variant)))
  config.model.n_features = 50
  config.model.n_hidden = 10
  config.data.generator = "hash"
  config.density.base = 0.35
  config.loss.reduction = "mean"
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.train.optimizer = "adam"
  config.train.learning_rate = 3e-3
  base.set_axes(config, restart=base.restarts(n_restarts))
  config.history.num = n_recorded
  config.history.scale = "linear"
  config.evaluation.n_samples = n_samples
  config.experiment = "learning_dynamics_jumps"
  return config
