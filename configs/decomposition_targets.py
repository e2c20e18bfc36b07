"""Toy models as targets for parameter decomposition, and the share of seeds that are decomposed.

Paper: "Toy Models of Superposition"; the targets are those of Braun et al. (2025),
"Interpretability in Parameter Space", and of Bushnaq, Braun and Sharkey (2025), "Stochastic
Parameter Decomposition" (SPD): five features in two dimensions and 40 in ten, p = .05, AdamW at
5e-3 with a decay of .01, each decomposed with and without a fixed identity in the middle. Every
matrix W = Σ_c u_c v_cᵀ is trained to be faithful, to give the same outputs under stochastic masks
g + (1 − g) U[0, 1], and to need few components.

  python -m toy_superposition.main --config=configs/decomposition_targets.py        2 × 40 models
  python -m toy_superposition.main --config=configs/decomposition_targets.py:quick  2 × 2
  python -m toy_superposition.main --config=configs/decomposition_targets.py:full   2 × 100

To expect: two thirds to three quarters of the seeds of 5-2 (30 of 40) give one component for each
feature of the encoder; in the others two features share a component. The decoder of every third
seed has fewer. MMCS alone does not tell them apart: 20 random components already have .98.

The decomposition's size goes with the number of restarts: from 100 on it is the published one,
40 000 steps of 4 096 examples with 20 or 200 components. From 20 on, the default, 5-2 has all of
these steps with 128 examples; of 40-10 three seeds have 60 components and 10 000 steps of 32
examples at a rate of 5e-3, in which the features do not separate. Chosen here: the decomposition's
start, the slopes of closed gates, and a cosine that ends at 0.
"""

from toy_superposition.config import base

ABOUT = "Targets of parameter decomposition: optima, and the share of seeds that SPD recovers."
COST = "3.5 minutes; quick 30 seconds; full not measured"  # on 2 CPU cores
TARGETS = {"5-2": (5, 2), "40-10": (40, 10)}
# variant: (restarts; steps and batch sizes of both targets)
SIZES = {
  "": (40, (10_000, 3000), (1024, 2048)),
  "quick": (2, (500, 200), (256, 256)),
  "full": (100, (10_000, 10_000), (1024, 8192)),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  n_restarts, steps, batch_sizes = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("decomposition_targets", variant)))
  config.seed = 1  # seed 0 was seen while the decomposition was written
  config.density.base = 0.05
  config.data.generator = "hash"
  config.train.optimizer, config.train.weight_decay = "adamw", 0.01
  config.train.learning_rate = 5e-3
  n_features, n_hidden = zip(*TARGETS.values(), strict=True)
  values = {
    "model.n_features": n_features,
    "model.n_hidden": n_hidden,
    "train.steps": steps,
    "train.batch_size": batch_sizes,
  }
  base.set_axes(config, target=base.together(values, TARGETS), restart=base.restarts(n_restarts))
  config.measures = ()
  config.evaluation.n_samples = 20_480 if variant == "quick" else 819_200
  config.experiment = "decomposition_targets"
  return config
