"""Models of two dimensions trained on a finite set of examples: do they store examples or features?

Paper: "Toy Models of Superposition", section "Discussion"; the set-up is that of Henighan, Carter,
Hume, Elhage, Lasenby, Fort, Schiefer & Olah (2023), "Superposition, Memorization, and Double
Descent": sparse features, every example scaled to norm 1, full-batch AdamW.

  python -m toy_superposition.main --config=configs/memorization.py        10 cases × 10 restarts
  python -m toy_superposition.main --config=configs/memorization.py:quick   3 × 2
  python -m toy_superposition.main --config=configs/memorization.py:full   18 × 10, published size

To expect: few examples are stored like features, five of them as a pentagon, with zero loss in
training and the loss of the zero model, 1, on other examples; a test loss above 1 for a few hundred
examples; below 1 for many, where features are stored instead. Weight decay of 1 removes the peak.

The published size is 10 000 features of density .001, 50 000 steps to 1e-3. Chosen here: 1 000
features of density .01; 2 000 steps to 2e-2. Sets of 1 000 examples and more are trained in batches
of 300 drawn with replacement (full: 5 000): the full batch would take ten times as long.
"""

from toy_superposition.config import base

ABOUT = "Memorization: examples stored as features are, and the double descent of the test loss."
COST = "62 seconds; quick 10 seconds; full days"  # on 2 CPU cores
SMALL, LARGE = 0.01, 1.0
# variant: (features, restarts, steps, largest rate, warm-up, cases: (examples, batch size, decay))
SIZES = {
  "": (
    1000,
    10,
    2000,
    2e-2,
    100,
    (
      *((n, 30, SMALL) for n in (3, 5, 10, 30)),
      *((100, 100, decay) for decay in (SMALL, LARGE)),
      *((300, 300, decay) for decay in (SMALL, LARGE)),
      *((n, 300, SMALL) for n in (1000, 3000)),
    ),
  ),
  "quick": (200, 2, 100, 2e-2, 10, ((5, 30, SMALL), (30, 30, SMALL), (30, 30, LARGE))),
  "full": (
    10_000,
    10,
    50_000,
    1e-3,
    2500,
    (
      *((n, n, SMALL) for n in (3, 5, 6, 8, 10, 15, 30, 50, 100, 200, 500, 1000, 2000, 5000)),
      *((n, 5000, SMALL) for n in (10_000, 100_000)),
      *((n, n, LARGE) for n in (500, 1000)),
    ),
  ),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  n_features, n_restarts, steps, rate, warmup, cases = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("memorization", variant)))
  config.model.n_features, config.model.n_hidden = n_features, 2
  config.data.distribution = "unit_sparse_uniform"
  config.data.examples, config.data.whole = "fixed", True
  config.data.generator = "hash"
  config.density.base = 10 / n_features
  config.train.optimizer = "adamw"
  config.train.learning_rate = rate
  config.train.schedule, config.train.warmup_steps = "cosine", warmup
  config.train.steps = steps
  examples, batch_sizes, decays = zip(*cases, strict=True)
  base.set_axes(
    config,
    case=base.together(
      {
        "data.n_examples": examples,
        "train.batch_size": batch_sizes,
        "train.weight_decay": decays,
      },
      [f"{n}, decay {decay:g}" for n, _, decay in cases],
    ),
    restart=base.restarts(n_restarts),
  )
  config.measures = ("feature_dimensionality",)
  config.evaluation.n_samples = 4096 if variant == "quick" else 16_384
  config.experiment = "memorization"
  return config
