"""A sparse autoencoder of one latent for two correlated features: what does it represent?

Paper: "Toy Models of Superposition", section "Superposition, Sparsity and Mechanistic
Interpretability"; the set-up is that of Chanin et al. (2025), "Feature Hedging": a parent feature
of probability .25, a child that is active only with it, orthonormal directions, penalty 1e-3.

  python -m toy_superposition.main --config=configs/sae_hedging.py        2 × 2 × 7 × 10 models
  python -m toy_superposition.main --config=configs/sae_hedging.py:quick  2 × 2 × 3 × 2

To expect: the latent is the top eigenvector of the covariance, or without a decoder bias of the
second moment, whatever the probability of the child; an independent child is not mixed in if there
is a bias.

Chosen here: 20 dimensions, Adam at 3e-3 falling linearly to 0, 4 000 steps of 512 examples.
"""

from toy_superposition.config import base

ABOUT = "A sparse autoencoder too narrow for its features mixes correlated ones (hedging)."
COST = "24 seconds; quick 15 seconds"  # on 2 CPU cores
# variant: (probabilities of the child given the parent, seeds, steps, batch size)
SIZES = {
  "": ((0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7), 10, 4000, 512),
  "quick": ((0.1, 0.2, 0.5), 2, 500, 256),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  children, n_seeds, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("sae_hedging", variant)))
  config.model.name, config.model.n_hidden, config.model.sparsity = "l1_sae", 1, 1e-3
  config.model.n_features = 2
  config.data.value_law = "one"
  config.data.branching = 1
  config.data.input, config.data.target = "dictionary", "input"
  config.data.n_dimensions, config.data.directions = 20, "orthonormal"
  config.data.generator = "hash"
  config.density.profile, config.density.base = "last_apart", 0.25
  config.train.optimizer = "adam"
  config.train.learning_rate = 3e-3
  config.train.schedule = "linear"
  config.train.steps = steps
  config.train.batch_size = batch_size
  base.set_axes(
    config,
    activity=base.points("data.distribution", ("tree", "independent")),
    bias=base.points("model.decoder_bias", (True, False)),
    child=base.points("density.ratio", children),
    seed=base.points("data.dictionary", range(n_seeds)),
  )
  config.measures = ()
  config.evaluation.n_samples = 20_480
  config.experiment = "sae_hedging"
  return config
