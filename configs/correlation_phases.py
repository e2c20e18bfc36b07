"""Sixteen features in eight correlated pairs: when do the two of a pair become one direction?

Paper: "Toy Models of Superposition", section "Correlated and anticorrelated features", where a pair
is active as a whole; here the indicators of its two features have any correlation ρ, exactly, since
they share one coin with probability ρ. The phase diagram is that of a repository of 2026.

  python -m toy_superposition.main --config=configs/correlation_phases.py        4 × 5 × 50 models
  python -m toy_superposition.main --config=configs/correlation_phases.py:quick  2 × 2 × 3
  python -m toy_superposition.main --config=configs/correlation_phases.py:full   8 × 11 × 20

To expect: at p = .05 the mean |cosine| within pairs rises from .40 at ρ = 0, less than the .42 of
random directions, to .97 at ρ = 1 in the best training. Where pairs are merged, losses are those of
the exact code of merged pairs; at p = .1 that begins between ρ = .5 and .75.

The source states neither steps, optimizer nor trainings. Chosen here: Adam at 1e-2 falling to 0 by
a cosine, uniform values; 50 trainings, which a rise by .03 of numbers that deviate by .07 needs.
"""

from toy_superposition.config import base

ABOUT = "Pairs of features with any correlation: where the two of a pair merge into one direction."
COST = "25 seconds; quick 5 seconds; full was not run"  # on 2 CPU cores
# variant: (densities, correlations, restarts, steps, batch size)
SIZES = {
  "": ((0.02, 0.05, 0.1, 0.2), (0, 0.25, 0.5, 0.75, 1), 50, 4000, 256),
  "quick": ((0.05, 0.2), (0, 1), 3, 400, 128),
  "full": (
    (0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.2, 0.3),
    tuple(k / 10 for k in range(11)),
    20,
    20_000,
    1024,
  ),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  densities, correlations, n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("correlation_phases", variant)))
  config.model.n_features = 16
  config.model.n_hidden = 4
  config.data.distribution = "shared_coin"
  config.data.set_size = 2
  config.data.generator = "hash"
  config.train.optimizer = "adam"
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  config.train.steps = steps
  config.train.batch_size = batch_size
  base.set_axes(
    config,
    density=base.points("density.base", densities),
    correlation=base.points("data.correlation", [float(rho) for rho in correlations]),
    restart=base.restarts(n_restarts),
  )
  config.evaluation.n_samples = 102_400
  config.experiment = "correlation_phases"
  return config
