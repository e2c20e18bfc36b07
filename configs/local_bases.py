"""Twenty features in ten dimensions, in two sets of ten whose members are all active together.

Paper: "Toy Models of Superposition", section "Correlated and Anticorrelated Features".
All features of a set are active at once, both sets rarely are: both are stored, each without
interference within itself.

  python -m toy_superposition.main --config=configs/local_bases.py        4 densities × 6
  python -m toy_superposition.main --config=configs/local_bases.py:quick  4 densities × 2

To expect: for p ≤ .05 one basis is a rotation of the other, with 1/2 dimension per feature. At
p = .2 the sets are active together too often, and a feature of each is lost.

The paper states neither density, steps nor optimizer. Chosen here: four densities, Adam at 1e-2
decaying to 0 by a cosine, several restarts of which the best is drawn.
"""

from toy_superposition.config import base

ABOUT = "Two sets of correlated features: each gets an almost orthogonal basis of all dimensions."
COST = "10 seconds; quick 7"

# variant: (restarts, steps, batch size)
SIZES = {"": (6, 4000, 256), "quick": (2, 1500, 256)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("local_bases", variant)))
  config.model.n_features = 20
  config.model.n_hidden = 10
  config.data.distribution = "correlated_sets"
  config.data.set_size = 10
  config.data.generator = "hash"
  config.train.optimizer = "adam"
  config.train.weight_decay = 0.0
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.train.estimator = "blocked"  # as fast here as what auto would choose; compiles sooner
  base.set_axes(
    config,
    density=base.points("density.base", (0.01, 0.05, 0.1, 0.2)),
    restart=base.restarts(n_restarts),
  )
  config.experiment = "local_bases"
  return config
