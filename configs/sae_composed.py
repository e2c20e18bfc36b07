"""Sparse autoencoders of two attributes: do latents stand for attributes, or for their pairs?

Paper: "Toy Models of Superposition", section "Superposition, Sparsity and Mechanistic
Interpretability". Pairs of features that an autoencoder takes for features of their own were
described by Anders et al. (2024). Two sets of three exclusive binary features, orthonormal, each
set silent with the probability 1 − q; 15 latents, enough for six features and nine pairs.

  python -m toy_superposition.main --config=configs/sae_composed.py        3 q × 4 λ × 10 seeds
  python -m toy_superposition.main --config=configs/sae_composed.py:quick  2 × 2 × 2

To expect: a pair as one latent costs √2 λ − λ²/4, two latents cost 2 λ − λ²/2: pairs are cheaper
at every λ that keeps features. Where pairs are all there is (q = 1), no latent stands for a
feature.

Chosen here: L1 autoencoders without a bias of the decoder, for which the least cost is known
exactly; 5 000 steps of 256 examples, Adam at 3e-3 falling linearly to 0.
"""

from toy_superposition.config import base

ABOUT = "Two attributes at a time: latents stand for their pairs, not for the features."
COST = "12 seconds; quick 10 seconds"  # on 2 CPU cores
SET = 3  # features per set
# variant: (probabilities q that a set is active, λ, seeds, steps)
SIZES = {
  "": ((1.0, 0.5, 0.1), (0.05, 0.1, 0.2, 0.3), 10, 5000),
  "quick": ((1.0, 0.1), (0.1, 0.3), 2, 500),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  active, penalties, n_seeds, steps = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("sae_composed", variant)))
  config.model.name, config.model.decoder_bias = "l1_sae", False
  config.model.n_features, config.model.n_hidden = 2 * SET, 2 * SET + SET**2
  config.data.distribution, config.data.value_law = "anticorrelated_sets", "one"
  config.data.set_size = SET
  config.data.input, config.data.target = "dictionary", "input"
  config.data.n_dimensions, config.data.directions = 2 * SET, "orthonormal"
  config.data.generator = "hash"
  config.train.optimizer = "adam"
  config.train.learning_rate = 3e-3
  config.train.schedule = "linear"
  config.train.steps = steps
  config.train.batch_size = 256
  base.set_axes(
    config,
    density=base.points("density.base", [q / SET for q in active]),
    sparsity=base.points("model.sparsity", penalties),
    seed=base.points("data.dictionary", range(n_seeds)),
  )
  config.measures = ()
  config.evaluation.n_samples = 20_480
  config.experiment = "sae_composed"
  return config
