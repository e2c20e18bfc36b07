"""Twenty equally important features of density .05 in five dimensions, trained with λ Σ|h|.

Paper: "Toy Models of Superposition", section "Discussion": a remark without a figure, that L1
regularisation of the hidden activations gets rid of superposition at the cost of a higher loss.

  python -m toy_superposition.main --config=configs/l1_superposition.py        9 penalties × 6
  python -m toy_superposition.main --config=configs/l1_superposition.py:quick  3 × 2

To expect: features per dimension fall from 5 to 0 while the loss rises. Directions first gather on
the axes of the hidden layer as antipodal pairs. A feature in a pair costs no more Σ|h| than a
single feature, so pairs stay until λ is nearly too large for any feature, at about .73.

The paper states no set-up. Sizes are chosen so that all features are represented without the
penalty; Adam at 1e-2 decaying to 0 by a cosine. λ is data of each model: one program trains all.
"""

from toy_superposition.config import base

ABOUT = "An L1 penalty on hidden activations removes superposition, and features with it."
COST = "30 seconds; quick 11"  # on 2 CPU cores

# variant: (penalties, restarts, steps, batch size)
SIZES = {
  "": ((0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.7, 1.0), 6, 2500, 512),
  "quick": ((0.0, 0.3, 1.2), 2, 300, 128),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  penalties, n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("l1_superposition", variant)))
  config.model.n_features = 20
  config.model.n_hidden = 5
  config.density.base = 0.05
  config.data.generator = "hash"
  config.train.estimator = "blocked"  # compiles faster than fused, and there are many programs
  config.train.optimizer = "adam"
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  config.train.steps = steps
  config.train.batch_size = batch_size
  base.set_axes(
    config, penalty=base.points("loss.hidden_l1", penalties), restart=base.restarts(n_restarts)
  )
  config.evaluation.n_samples = 40_960
  config.experiment = "l1_superposition"
  return config
