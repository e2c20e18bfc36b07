"""|x| of one hundred features of importance .8ⁱ, computed by forty neurons, at seven densities.

Paper: "Toy Models of Superposition", section "Computation in Superposition".

  python -m toy_superposition.main --config=configs/absolute_value.py        7 densities × 2 seeds
  python -m toy_superposition.main --config=configs/absolute_value.py:quick  3 densities, 300 steps

To expect: forty monosemantic neurons at p ≥ .3, about thirty at .1, twenty at .03, few at .01 and
none at .001.

Sizes, importances and densities are the paper's. The paper states no optimizer, and the counts at
p = .1 and below depend on it. Without weight decay, the weights of unimportant features keep their
random initial values. A learning rate that does not start low kills outputs for good (ReLU): nearly
all of them at p ≤ .01. Chosen here: AdamW at 2e-2 with a warm-up over a third of the steps, weight
decay 0.3 and small initial weights, which gave among the lowest losses of what was tried (3e-3 to
2e-2; decay 0 to 1; with and without warm-up). Even so, outputs die in some seeds.
"""

from toy_superposition.config import base

ABOUT = "|x| of 100 features in 40 neurons: monosemantic when dense, polysemantic when sparse."
COST = "53 seconds; quick 9"

# variant: (densities, seeds, steps, batch)
DENSITIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
SIZES = {"": (DENSITIES, 2, 2500, 1024), "quick": ((1.0, 0.03, 0.001), 1, 300, 256)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  densities, n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("absolute_value", variant)))
  config.model.name = "absolute_value"
  config.model.n_features = 100
  config.model.n_hidden = 40
  config.init.scale = 0.3
  config.data.distribution = "sparse_signed_uniform"
  config.data.target = "absolute"
  config.data.generator = "hash"
  config.importance.profile = "geometric"
  config.importance.ratio = 0.8
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.train.optimizer = "adamw"
  config.train.weight_decay = 0.3
  config.train.learning_rate = 2e-2
  config.train.schedule = "cosine"
  config.train.warmup_steps = steps // 3
  base.set_axes(
    config, density=base.points("density.base", densities), restart=base.restarts(n_restarts)
  )
  config.evaluation.n_samples = 102_400
  config.experiment = "absolute_value"
  return config
