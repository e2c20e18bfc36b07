"""Equally important features over density and m/n: two theories of the loss, beside training.

Paper: "Toy Models of Superposition", section "The Geometry of Superposition". The theories: small
polytopes in orthogonal subspaces (experiment uniform_geometry), and the Gaussian mean field of
random codes (after Guo, Liu, Gore 2026, "From partial to full representation").

  python -m toy_superposition.main --config=configs/uniform_theory.py        3 × 4 × 5 models
  python -m toy_superposition.main --config=configs/uniform_theory.py:quick  2 × 2 × 2

To expect: polytopes are the lower theory while features are dense, the mean field where they are
sparse; training is at least as good as both, since its codes are neither small nor random: cosines
are skewed to the negative side, which the ReLU clips.

Chosen here: Adam with b1 = 0.99 at 6e-3 and a cosine, batches of 256.
"""

from toy_superposition.config import base

ABOUT = "Equal features over density and m/n: best polytopes and mean field beside training."
COST = "20 seconds; quick 10 seconds"  # on 2 CPU cores
# variant: (features, hidden dimensions, densities, restarts, steps, batch size)
SIZES = {
  "": (128, (16, 32, 64), (0.3, 0.1, 0.05, 0.02), 5, 3000, 256),
  "quick": (64, (8, 16), (0.3, 0.05), 2, 300, 64),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_features, hidden, densities, n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("uniform_theory", variant)))
  config.model.n_features = n_features
  config.data.generator = "hash"
  config.train.optimizer = "adam"
  config.train.b1 = 0.99
  config.train.learning_rate = 6e-3
  config.train.schedule = "cosine"
  config.train.steps = steps
  config.train.batch_size = batch_size
  base.set_axes(
    config,
    m=base.points("model.n_hidden", hidden),
    density=base.points("density.base", densities),
    restart=base.restarts(n_restarts),
  )
  config.measures = ()
  config.evaluation.n_samples = 20_480
  config.experiment = "uniform_theory"
  return config
