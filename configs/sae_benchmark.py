"""A small SynthSAEBench: sparse autoencoders of every kind on one synthetic world, at equal L0.

Paper: "Toy Models of Superposition", section "Superposition, Sparsity and Mechanistic
Interpretability". The world is that of Chanin et al. (SynthSAEBench) in small: 256 features of
Zipf probabilities from .3 to .002, the most frequent ones the roots of 16 trees with exclusive
children whose values follow their parents', coupled by a Gaussian copula of loading .3, in 48
dimensions; 96 latents.

  python -m toy_superposition.main --config=configs/sae_benchmark.py        7 methods, 10 times
  python -m toy_superposition.main --config=configs/sae_benchmark.py:quick  3 methods, twice
  python -m toy_superposition.main --config=configs/sae_benchmark.py:full --dry_run
                                   the published size: 16 384 features, 4 096 latents, 5 seeds

To expect: the published order of F1, at an L0 of three quarters of the true one, is Matryoshka,
BatchTopK about as good as JumpReLU, L1, matching pursuit, which is best in explained variance.
Whether the small world keeps it is the question.

Chosen here: 1 500 steps of 384 examples, common to the models of a method, Adam at 3e-3 falling
linearly to 0; values N(1, .1²), where the published ones are N(5 to 4, |N(.5, .5)|²); no constant
is added to the inputs, whose mean the decoder's bias takes; directions are random, and not pushed
apart (config.data.directions='repelled').
"""

from toy_superposition.config import base

ABOUT = "A small SynthSAEBench: the autoencoder that finds most features at equal L0."
COST = "2.7 minutes; quick 25 seconds"  # on 2 CPU cores
# Label → (model, penalty λ, k, whether the decoder is frozen).
METHODS = {
  "L1, λ = 0.4": ("l1_sae", 0.4, 1.0, False),
  "L1, λ = 0.8": ("l1_sae", 0.8, 1.0, False),
  "L1, λ = 1.6": ("l1_sae", 1.6, 1.0, False),
  "Gated, λ = 0.8": ("gated_sae", 0.8, 1.0, False),
  "Gated, λ = 1.6": ("gated_sae", 1.6, 1.0, False),
  "Gated, λ = 3.2": ("gated_sae", 3.2, 1.0, False),
  "JumpReLU, λ = 0.05": ("jumprelu_sae", 0.05, 1.0, False),
  "JumpReLU, λ = 0.1": ("jumprelu_sae", 0.1, 1.0, False),
  "JumpReLU, λ = 0.2": ("jumprelu_sae", 0.2, 1.0, False),
  "TopK, k = 2": ("topk_sae", 0.0, 2.0, False),
  "TopK, k = 4": ("topk_sae", 0.0, 4.0, False),
  "BatchTopK, k = 2": ("batch_topk_sae", 0.0, 2.0, False),
  "BatchTopK, k = 4": ("batch_topk_sae", 0.0, 4.0, False),
  "BatchTopK, k = 4, frozen": ("batch_topk_sae", 0.0, 4.0, True),
  "Matryoshka, k = 2": ("matryoshka_sae", 0.0, 2.0, False),
  "Matryoshka, k = 4": ("matryoshka_sae", 0.0, 4.0, False),
  "Matching pursuit, k = 2": ("matching_pursuit_sae", 0.0, 2.0, False),
  "Matching pursuit, k = 4": ("matching_pursuit_sae", 0.0, 4.0, False),
}
QUICK = ("L1, λ = 0.8", "BatchTopK, k = 4", "Matryoshka, k = 4")
PUBLISHED = {  # at an L0 of 25, the published one
  "L1, λ = 0.1": ("l1_sae", 0.1, 1.0, False),
  "JumpReLU, λ = 0.02": ("jumprelu_sae", 0.02, 1.0, False),
  "BatchTopK, k = 25": ("batch_topk_sae", 0.0, 25.0, False),
  "Matryoshka, k = 25": ("matryoshka_sae", 0.0, 25.0, False),
  "Matching pursuit, k = 25": ("matching_pursuit_sae", 0.0, 25.0, False),
}
SMALL = {
  "model.n_features": 256,
  "model.n_hidden": 96,
  "model.prefixes": (6, 24, 96),
  "model.max_k": 4,
  "density.base": 0.3,  # of the first feature; of the last: .002
  "density.ratio": 0.002 / 0.3,
  "data.n_dimensions": 48,
  "data.n_trees": 16,
  "data.branching": 3,
  "data.depth": 2,
  "data.rank": 8,
  "data.loading": 0.3,
  "train.learning_rate": 3e-3,
  "train.steps": 1500,
  "train.batch_size": 384,
}
FULL = {
  "model.n_features": 16_384,
  "model.n_hidden": 4096,
  "model.prefixes": (128, 512, 2048, 4096),
  "model.max_k": 25,
  "density.base": 0.4,
  "density.ratio": 1e-3 / 0.4,  # published: 5e-4 / .4, which float32 does not couple
  "data.n_dimensions": 768,
  "data.n_trees": 128,
  "data.branching": 4,
  "data.depth": 3,
  "data.rank": 25,
  "data.loading": 0.1,
  "train.learning_rate": 3e-4,
  "train.steps": 195_313,  # 200 million examples
  "train.batch_size": 1024,
}
# variant: (methods, seeds, fields)
SIZES = {
  "": (METHODS, 10, SMALL),
  "quick": (
    {label: METHODS[label] for label in QUICK},
    2,
    SMALL | {"train.steps": 200, "train.batch_size": 128},
  ),
  "full": (PUBLISHED, 5, FULL),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  methods, n_seeds, fields = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("sae_benchmark", variant)))
  config.density.profile = "zipf"
  config.data.distribution, config.data.value_law = "tree", "near_one"
  config.data.limited = config.data.scaled = config.data.by_generation = True
  config.data.examples = "common"
  config.data.input, config.data.target = "dictionary", "input"
  config.data.generator = "hash"
  config.train.optimizer = "adam"
  config.train.schedule = "linear"
  config.update_from_flattened_dict(fields)
  names, penalties, counts, frozen = zip(*methods.values(), strict=True)
  base.set_axes(
    config,
    variant=base.together(
      {
        "model.name": names,
        "model.sparsity": penalties,
        "model.k": counts,
        "model.frozen_decoder": frozen,
      },
      tuple(methods),
    ),
    seed=base.points("data.dictionary", range(n_seeds)),
  )
  config.measures = ()
  config.evaluation.n_samples = 20_480
  config.experiment = "sae_benchmark"
  return config
