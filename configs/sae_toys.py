"""Sparse autoencoders on the hidden activations of trained toy models: which features come out?

Paper: "Toy Models of Superposition", section "Superposition, Sparsity and Mechanistic
Interpretability": features in superposition have to be found from activations alone.

  python -m toy_superposition.main --config=configs/sae_toys.py        5 densities × 2 × 10 models
  python -m toy_superposition.main --config=configs/sae_toys.py:quick  2 × 1 × 2

The toy models, sae_toys:toys, are trained first, in the folder `source` of the run.

To expect: with k = 2 the autoencoders find nearly all features at p = .1, where two are on in an
example. At sparser densities they reconstruct ever better and find fewer, down to chance: the same
as in sae_wrong_l0. The exact bound is the share of represented features that there are latents for.

Chosen here: 20 features of equal importance in 8 dimensions; BatchTopK autoencoders of 40 latents
with k = 2; 4 000 steps of 512 examples, Adam at 3e-3 falling linearly to 0.
"""

from toy_superposition.config import base

ABOUT = "Sparse autoencoders on the hidden activations of trained toy models, over density."
COST = "34 seconds; quick 15 seconds"  # on 2 CPU cores
# variant: (densities, toy models of each, seeds, steps, batch size)
SIZES = {
  "": ((0.2, 0.1, 0.05, 0.02, 0.01), 2, 10, 4000, 512),
  "quick": ((0.1, 0.02), 1, 2, 300, 128),
  "toys": ((0.2, 0.1, 0.05, 0.02, 0.01), 2, 0, 10_000, 1024),
  "quick_toys": ((0.1, 0.02), 1, 0, 1000, 256),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, toys, quick_toys or nothing."""
  variant = base.choose(variant, ("quick", "toys", "quick_toys"))
  densities, n_restarts, n_seeds, steps, batch_size = SIZES[variant]
  if variant.endswith("toys"):
    config = base.get_config()
    config.model.n_features, config.model.n_hidden = 20, 8
    axes = {
      "density": base.points("density.base", densities),
      "restart": base.restarts(n_restarts),
    }
    config.train.weight_decay = 0.0
    config.train.learning_rate = 3e-3
  else:
    config = base.after("sae_toys:quick_toys" if variant else "sae_toys:toys")
    config.model.name, config.model.n_hidden, config.model.k = "batch_topk_sae", 40, 2.0
    axes = {"seed": base.restarts(n_seeds)}
    config.train.optimizer = "adam"
    config.train.learning_rate = 3e-3
    config.train.schedule = "linear"
    config.experiment = "sae_toys"
  config.name = "_".join(filter(None, ("sae_toys", variant)))
  config.data.generator = "hash"
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.evaluation.n_samples = 20_480
  base.set_axes(config, **axes)
  return config
