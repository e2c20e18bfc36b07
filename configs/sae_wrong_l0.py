"""BatchTopK autoencoders of correlated features, with fewer and more latents on than features.

Paper: "Toy Models of Superposition", section "Superposition, Sparsity and Mechanistic
Interpretability"; that a wrong L0 mixes correlated features is a finding of Chanin and
Garriga-Alonso (2025).

  python -m toy_superposition.main --config=configs/sae_wrong_l0.py        7 numbers × 10 seeds
  python -m toy_superposition.main --config=configs/sae_wrong_l0.py:quick  3 × 2

To expect: reconstruction improves with every further latent, while detection is best near the true
number.

They state no set-up that is small enough. Chosen here: 32 features of density .1 with a Gaussian
copula of four factors and loading .7, half-normal values, a random dictionary in 20 dimensions, 32
latents; 4 000 steps of 512 examples, Adam at 3e-3 falling linearly to 0.
"""

from toy_superposition.config import base

ABOUT = (
  "With too few latents on, an autoencoder mixes correlated features; with too many, it splits."
)
COST = "33 seconds; quick 15 seconds"  # on 2 CPU cores
# variant: (numbers of latents that are on, seeds, steps, batch size)
SIZES = {
  "": ((1.0, 1.6, 2.4, 3.2, 4.2, 5.6, 8.0), 10, 4000, 512),
  "quick": ((1.6, 3.2, 5.6), 2, 400, 128),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  numbers, n_seeds, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("sae_wrong_l0", variant)))
  config.model.name = "batch_topk_sae"
  config.model.n_features = config.model.n_hidden = 32
  config.data.distribution, config.data.value_law = "copula", "half_normal"
  config.data.rank, config.data.loading = 4, 0.7
  config.density.base = 0.1
  config.data.input, config.data.target = "dictionary", "input"
  config.data.n_dimensions = 20
  config.data.generator = "hash"
  config.train.optimizer = "adam"
  config.train.learning_rate = 3e-3
  config.train.schedule = "linear"
  config.train.steps = steps
  config.train.batch_size = batch_size
  base.set_axes(
    config,
    k=base.points("model.k", numbers),
    seed=base.points("data.dictionary", range(n_seeds)),
  )
  config.measures = ()
  config.evaluation.n_samples = 20_480
  config.experiment = "sae_wrong_l0"
  return config
