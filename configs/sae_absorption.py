"""Sparse autoencoders of features in a hierarchy: does a parent's latent stay on with its children?

Paper: "Toy Models of Superposition", section "Superposition, Sparsity and Mechanistic
Interpretability"; absorption was described by Chanin et al. (2024). Features as in Abeshima's toy
model of Matryoshka autoencoders: three parents of probability .15, each with three exclusive
children of .2 given the parent, and eight lone features of .05; binary, orthonormal, as many
latents as features.

  python -m toy_superposition.main --config=configs/sae_absorption.py        6 variants × 10 seeds
  python -m toy_superposition.main --config=configs/sae_absorption.py:quick  3 × 2

To expect: L1 autoencoders absorb completely, which costs them less at every λ; BatchTopK in part;
Matryoshka not, after 5 000 steps.

Chosen here: Adam at 3e-3 falling linearly to 0, 5 000 steps of 512 examples, k = 1.12, the true L0.
"""

from toy_superposition.config import base

ABOUT = "A parent's latent falls silent where its children's can stand for both (absorption)."
COST = "27 seconds; quick 20 seconds"  # on 2 CPU cores
# Label → (model, penalty λ, k).
VARIANTS = {
  "L1, λ = 0.05": ("l1_sae", 0.05, 1.0),
  "L1, λ = 0.1": ("l1_sae", 0.1, 1.0),
  "L1, λ = 0.2": ("l1_sae", 0.2, 1.0),
  "L1, λ = 0.3": ("l1_sae", 0.3, 1.0),
  "BatchTopK, k = 1.12": ("batch_topk_sae", 0.0, 1.12),
  "Matryoshka, k = 1.12": ("matryoshka_sae", 0.0, 1.12),
}
# variant: (variants, seeds, steps, batch size)
SIZES = {
  "": (tuple(VARIANTS), 10, 5000, 512),
  "quick": (("L1, λ = 0.1", "BatchTopK, k = 1.12", "Matryoshka, k = 1.12"), 2, 500, 256),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  labels, n_seeds, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("sae_absorption", variant)))
  config.model.n_features = config.model.n_hidden = 20
  config.model.prefixes = (3, 11, 20)
  config.data.distribution, config.data.value_law = "tree", "one"
  config.data.n_trees, config.data.branching, config.data.depth = 3, 3, 1
  config.density.base = 0.05
  config.density.values = (3, 0.6, 0.6, 0.6) * 3 + (1,) * 8
  config.data.input, config.data.target = "dictionary", "input"
  config.data.n_dimensions, config.data.directions = 20, "orthonormal"
  config.data.generator = "hash"
  config.train.optimizer = "adam"
  config.train.learning_rate = 3e-3
  config.train.schedule = "linear"
  config.train.steps = steps
  config.train.batch_size = batch_size
  names, penalties, counts = zip(*(VARIANTS[label] for label in labels), strict=True)
  base.set_axes(
    config,
    variant=base.together(
      {"model.name": names, "model.sparsity": penalties, "model.k": counts}, labels
    ),
    seed=base.points("data.dictionary", range(n_seeds)),
  )
  config.measures = ()
  config.evaluation.n_samples = 20_480
  config.experiment = "sae_absorption"
  return config
