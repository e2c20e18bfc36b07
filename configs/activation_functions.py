"""Two features with importances (1, r) and one density p share one dimension: x′ = f(WᵀW x + b).

Paper: "Toy Models of Superposition", comments and replications: K. Sachan of Redwood Research found
that the diagrams of "Superposition as a Phase Change" look quite different for other activation
functions. Here f is linear, ReLU, leaky ReLU (slope .1), ReLU squared, GELU, softplus and tanh.

  python -m toy_superposition.main --config=configs/activation_functions.py        14 × 14 × 5 each
  python -m toy_superposition.main --config=configs/activation_functions.py:quick    6 × 6 × 3, of 3

Softplus alone takes a quarter of the time.
To expect: superposition below a line in the plane for every activation that treats the two signs
differently, with a lower line for GELU than for ReLU; none for the linear model and for tanh.

The comment names neither activations nor set-up. The plane is that of the phase change; Adam at
1e-2 decaying to 0 by a cosine. Losses are sampled, since they are known in expectation for ReLU and
the linear model only.
"""

from toy_superposition.config import base

ABOUT = "The phase diagram of two features in one dimension under other output activations."
COST = "37 seconds; quick 13"

MODELS = (
  "linear",
  "relu_output",
  "gelu_output",
  "leaky_relu_output",
  "squared_relu_output",
  "softplus_output",
  "tanh_output",
)
# variant: (models, points per axis, restarts, steps, batch size)
SIZES = {"": (7, 14, 5, 2000, 512), "quick": (3, 6, 3, 300, 128)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_models, num, n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("activation_functions", variant)))
  config.model.n_features = 2
  config.model.n_hidden = 1
  config.importance.profile = "last_apart"  # (1, r)
  config.data.generator = "hash"
  config.train.optimizer = "adam"
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  config.train.steps = steps
  config.train.batch_size = batch_size
  # An even number of points keeps r = 1 off the grid, where features may be exchanged.
  base.set_axes(
    config,
    model=base.points("model.name", MODELS[:n_models]),
    relative_importance=base.log("importance.ratio", 0.1, 10, num),
    density=base.log("density.base", 1, 0.01, num),
    restart=base.restarts(n_restarts),
  )
  config.evaluation.n_samples = 20_480
  config.experiment = "activation_functions"
  return config
