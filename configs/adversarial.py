"""The rise of the loss under attacks of a tenth of the mean input's norm along a row of WᵀW.

Paper: "Toy Models of Superposition", section "Relationship to Adversarial Robustness".
Vulnerability is this rise relative to that of a model without superposition.

  python -m toy_superposition.main --config=configs/adversarial.py        12 densities × 2 restarts
  python -m toy_superposition.main --config=configs/adversarial.py:quick  5 densities

To expect: vulnerability 1 for dense features, 2 if all features are in pairs, 3 at 1/(1−S) = 10;
11 there if the worst attack may differ from example to example.

The paper states neither n, m nor densities, nor whether one worst attack is chosen for all
examples, nor the attack's sign. Chosen here: n = 100 and m = 10, which are enough to show the
effect, and the densities of its section on uniform superposition. Both readings are computed and
both signs allowed.
"""

from toy_superposition.config import base

ABOUT = "Vulnerability to small changes of the input rises with features per dimension."
COST = "1 minute; quick 15 seconds"  # on 2 CPU cores

# variant: (points, restarts, steps, batch size)
SIZES = {"": (12, 2, 2000, 512), "quick": (5, 1, 500, 256)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_points, n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("adversarial", variant)))
  config.model.n_features = 100
  config.model.n_hidden = 10
  config.data.generator = "hash"
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.train.optimizer = "adam"
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  base.set_axes(
    config,
    density=base.log("density.base", 1, 0.1, n_points),
    restart=base.restarts(n_restarts),
  )
  config.evaluation.n_samples = 20_480
  config.experiment = "adversarial"
  return config
