"""|x| of one hundred features in forty neurons: from neurons of one feature to neurons of many.

Paper: "Toy Models of Superposition", section "Computation in Superposition". Importances .8ⁱ, seven
densities.

  python -m toy_superposition.main --config=configs/absolute_value.py        7 densities × 2 seeds
  python -m toy_superposition.main --config=configs/absolute_value.py:quick  3 densities, 300 steps

Measured on 2 CPU cores, start-up and compilation included: 53 seconds, quick 9.
To expect: forty neurons of one feature each at p ≥ .3, some thirty at .1, twenty at .03, few at
.01, none at .001.

Sizes, importances and densities are the paper's. It states no optimizer, and the counts at p = .1
and below depend on it: weights of hardly important features stay what chance made them unless
weight decay removes them, and a rate that does not start low kills outputs for good (ReLU), at .01
and below nearly all of them. Chosen: AdamW at 2e-2 with a warm-up over a third of the steps, weight
decay 0.3 and small first weights, which gave among the lowest losses of what was tried (3e-3 to
2e-2; decay 0 to 1; with and without warm-up). Even so, outputs die in some seeds.
"""

from configs import base

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
  config.analysis = "absolute_value"
  config.figures = ("absolute_value",)
  return config
