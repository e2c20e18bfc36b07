"""Features that share a hidden cause: how correlations shape the geometry of superposition.

Paper: "Toy Models of Superposition", section "Correlated and anticorrelated features"; the set-up
is that of "Correlations in superposition" (arXiv 2603.09972, ICLR 2026): 12 binary features are
words about a latent point of a circle, and a word is in the bag with probability σ(10 cos of its
angle to the latent).

  python -m toy_superposition.main --config=configs/correlated_geometry.py        4 × 2 × 4 × 3 × 5
  python -m toy_superposition.main --config=configs/correlated_geometry.py:quick  2 × 1 × 2 × 2 × 3
  python -m toy_superposition.main --config=configs/correlated_geometry.py:full  4 × 2 × 11 × 3 × 10

To expect: at m = 2 the linear model is principal component analysis, the ring of the circle's
features, at a loss of .608 of 3. As m grows, models without weight decay add further harmonics.
With decay 6 the first harmonic keeps nearly all of WᵀW at every m, at a much higher loss. That
needs a bias without decay: with --config.train.decay_biases=True the weights have to make up for
the mean of 1/2, and at m = 2 nothing is left for a ring.

The source draws 8 000 examples once and trains for 200 epochs of batches of 256. Here every
gradient is that of the expected loss, over all subsets of the 12 words that matter, so nothing is
drawn; full has the source's 6 250 steps. Chosen here: points of the figure-eight and of the sphere
act by their distance, which for the circle is the source's rule; 5 restarts.
"""

from toy_superposition.config import base

ABOUT = "Words about a point of a circle, figure-eight or sphere: correlations shape the geometry."
COST = "74 seconds; quick 10 seconds; full was not run"  # on 2 CPU cores
# variant: (manifolds, models, hidden dimensions, weight decays, restarts, steps)
SIZES = {
  "": (
    ("circle", "figure_eight", "sphere", "independent"),
    ("linear", "relu_output"),
    (2, 4, 8, 12),
    (0.0, 1.0, 6.0),
    5,
    2500,
  ),
  "quick": (("circle", "independent"), ("relu_output",), (2, 6), (0.0, 6.0), 3, 100),
  "full": (
    ("circle", "figure_eight", "sphere", "independent"),
    ("linear", "relu_output"),
    tuple(range(2, 13)),
    (0.0, 1.0, 6.0),
    10,
    6250,
  ),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  manifolds, models, hidden, decays, n_restarts, steps = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("correlated_geometry", variant)))
  config.model.n_features = 12
  config.data.distribution = "bag_of_words"
  config.train.estimator = "exact"
  config.train.optimizer = "adamw"
  config.train.decay_biases = False
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  config.train.steps = steps
  config.train.batch_size = 1  # nothing is drawn
  base.set_axes(
    config,
    manifold=base.points("data.manifold", manifolds),
    model=base.points("model.name", models),
    m=base.points("model.n_hidden", hidden),
    decay=base.points("train.weight_decay", decays),
    restart=base.restarts(n_restarts),
  )
  config.evaluation.method = "exact"
  config.experiment = "correlated_geometry"
  return config
