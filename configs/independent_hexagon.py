"""Six independent features in a plane: a hexagon is best, and training seldom finds it.

Paper: "Toy Models of Superposition", section "Correlated and Anticorrelated Features": a footnote
to its hexagon of three correlated pairs.
Six equally important features in two dimensions, active independently of each other.

  python -m toy_superposition.main --config=configs/independent_hexagon.py        32 restarts
  python -m toy_superposition.main --config=configs/independent_hexagon.py:quick   8 restarts

Measured on 2 CPU cores, start-up and compilation included: 10 seconds, quick 8.
To expect: nine of ten trainings end in a pentagon with a weak sixth feature on top of a strong one,
and the others in a regular hexagon, whose expected loss is 4 % smaller. The paper says that
independent features are never embedded as a hexagon: true of most trainings, not of the optimum.

The paper states nothing but this; density, optimizer and number of trainings are ours, the same
as for correlated pairs but for p = .05.
"""

from configs import base

# variant: (restarts, steps, batch size)
SIZES = {"": (32, 4000, 512), "quick": (8, 1500, 256)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("independent_hexagon", variant)))
  config.model.n_features = 6
  config.model.n_hidden = 2
  config.data.distribution = "sparse_uniform"
  config.data.generator = "hash"
  config.density.base = 0.05
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.train.optimizer = "adam"
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  base.set_axes(config, restart=base.restarts(n_restarts))
  config.evaluation.method = "exact"
  config.analysis = "correlated"
  config.figures = ("correlated",)
  return config
