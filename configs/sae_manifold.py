"""Sparse autoencoders of points on a circle: latents tile a feature that is two-dimensional.

Paper: "Toy Models of Superposition" assumes features of one dimension; manifolds are one of its
open questions. The set-up follows work of 2025 on autoencoders and feature manifolds.

  python -m toy_superposition.main --config=configs/sae_manifold.py        3 sizes × 20 restarts
  python -m toy_superposition.main --config=configs/sae_manifold.py:quick  2 × 3

To expect: with four latents training reaches the exact optimum of evenly spaced directions, .12238
at λ = .1; with more it stays above the bound, because an affine encoder with a ReLU cannot keep two
neighbours and silence the rest.

Chosen here: 6 000 steps of 512 points, Adam at 1e-2 falling linearly to 0; exact losses on a grid
of 4 096 angles.
"""

from toy_superposition.config import base

ABOUT = "Sparse autoencoders tile a circle; how far training stays from the best tiling."
COST = "14 seconds; quick 5 seconds"  # on 2 CPU cores
# variant: (numbers of latents, restarts, steps, batch size)
SIZES = {
  "": ((4, 8, 24), 20, 6000, 512),
  "quick": ((4, 8), 3, 500, 128),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  latents, n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("sae_manifold", variant)))
  config.model.name, config.model.sparsity = "l1_sae", 0.1
  config.model.decoder_bias = False
  config.model.n_features = 2
  config.data.distribution, config.data.target = "circle", "input"
  config.data.generator = "hash"
  config.train.optimizer = "adam"
  config.train.learning_rate = 1e-2
  config.train.schedule = "linear"
  config.train.steps = steps
  config.train.batch_size = batch_size
  base.set_axes(
    config,
    latents=base.points("model.n_hidden", latents),
    restart=base.restarts(n_restarts),
  )
  config.measures = ()
  config.evaluation.n_samples = 4096
  config.experiment = "sae_manifold"
  return config
