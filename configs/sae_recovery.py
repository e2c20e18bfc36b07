"""Sparse autoencoders of 128 latents on 64 features in 32 dimensions: which find the features?

Paper: "Toy Models of Superposition", section "Superposition, Sparsity and Mechanistic
Interpretability", asks for a way to find the features of a model in superposition. Here they are
known: columns of a random dictionary. Set-up and numbers for comparison are an independent
verification's on one dictionary.

  python -m toy_superposition.main --config=configs/sae_recovery.py        7 methods, 10 times
  python -m toy_superposition.main --config=configs/sae_recovery.py:quick  3 methods, 3 times

To expect: along the penalty λ the MCC rises while the reconstruction gets worse; TopK with k = 2,
near the true L0 of 1.92, finds nearly all features; chance is .42.

Chosen here: 5 000 steps of 512 examples, Adam at 3e-3 falling linearly to 0. A frozen random
decoder is the baseline that reconstructs without having found anything.
"""

from toy_superposition.config import base

ABOUT = "Sparse autoencoders on a known dictionary: better reconstruction is not better recovery."
COST = "1.7 minutes; quick 15 seconds"  # on 2 CPU cores
# Label → (model, penalty λ, k, whether the decoder is frozen).
METHODS = {
  "L1, λ = 0.01": ("l1_sae", 0.01, 1.0, False),
  "L1, λ = 0.05": ("l1_sae", 0.05, 1.0, False),
  "L1, λ = 0.15": ("l1_sae", 0.15, 1.0, False),
  "L1, λ = 0.5": ("l1_sae", 0.5, 1.0, False),
  "L1, λ = 0.05, frozen": ("l1_sae", 0.05, 1.0, True),
  "TopK, k = 1": ("topk_sae", 0.0, 1.0, False),
  "TopK, k = 2": ("topk_sae", 0.0, 2.0, False),
}
# variant: (methods, dictionaries, steps, batch size)
SIZES = {
  "": (tuple(METHODS), 10, 5000, 512),
  "quick": (("L1, λ = 0.05", "L1, λ = 0.5", "TopK, k = 2"), 3, 600, 256),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  labels, n_seeds, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("sae_recovery", variant)))
  config.model.n_features, config.model.n_hidden = 64, 128
  config.density.base = 0.03
  config.data.input, config.data.target = "dictionary", "input"
  config.data.n_dimensions = 32
  config.data.generator = "hash"
  config.train.optimizer = "adam"
  config.train.learning_rate = 3e-3
  config.train.schedule = "linear"
  config.train.steps = steps
  config.train.batch_size = batch_size
  names, penalties, counts, frozen = zip(*(METHODS[label] for label in labels), strict=True)
  base.set_axes(
    config,
    variant=base.together(
      {
        "model.name": names,
        "model.sparsity": penalties,
        "model.k": counts,
        "model.frozen_decoder": frozen,
      },
      labels,
    ),
    seed=base.points("data.dictionary", range(n_seeds)),
  )
  config.measures = ()
  config.evaluation.n_samples = 20_480
  config.experiment = "sae_recovery"
  return config
