"""A model of squares with more features than dimensions: how it divides them by importance.

Paper: "Polysemanticity and Capacity in Neural Networks" (Scherlis, Sachan, Jermyn, Benton,
Shlegeris 2022): y = Σ v_i x_i² by y′ = Σ_k (W x)_k² + c. The optimum is known in closed form:
capacities C_i = M_ii² / Σ_j M_ij², M = WᵀW, fill the m dimensions like water, and features share
dimensions only if their kurtosis is above 3.

  python -m toy_superposition.main --config=configs/capacity.py        5 × 3 × 10 models
  python -m toy_superposition.main --config=configs/capacity.py:quick  2 × 2 × 2

To expect: training reaches the optimum to far less than a percent; dense features (κ = 1.8, 2.25)
have a dimension each or none, and the sparser they are, the more of them share.

Chosen here: v_i = ratioⁱ, twelve features in four dimensions, values uniform on [−1, 1] with
probability p, whose kurtosis is 9/(5p); Adam at 1e-2 with a cosine.
"""

from toy_superposition.config import base

ABOUT = "Capacity: unequal features fill the dimensions of a model of squares like water."
COST = "10 seconds; quick 10 seconds"  # on 2 CPU cores
# variant: (densities, ratios of importances, restarts, steps, batch size)
SIZES = {
  "": ((1.0, 0.8, 0.5, 0.2, 0.05), (0.7, 0.85, 1.0), 10, 4000, 1024),
  "quick": ((1.0, 0.2), (0.7, 1.0), 2, 500, 256),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  densities, ratios, n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("capacity", variant)))
  config.model.name = "sum_of_squares"
  config.model.n_features, config.model.n_hidden = 12, 4
  config.data.distribution, config.data.target = "sparse_signed_uniform", "weighted_squares"
  config.data.generator = "hash"
  config.train.optimizer = "adam"
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  config.train.steps = steps
  config.train.batch_size = batch_size
  base.set_axes(
    config,
    density=base.points("density.base", densities),
    ratio=base.points("data.weight_ratio", ratios),
    restart=base.restarts(n_restarts),
  )
  config.measures = ()
  config.evaluation.n_samples = 204_800
  config.experiment = "capacity"
  return config
