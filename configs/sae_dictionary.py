"""TopK autoencoders trained on a finite set of examples: does the encoder fail, or the dictionary?

Paper: "Toy Models of Superposition", section "Superposition, Sparsity and Mechanistic
Interpretability", names dictionary learning as a way to find features. Work of 2026 found codes of
sparse autoencoders bad out of distribution, and the dictionary the bottleneck, on 5 000 examples;
whether more examples repair it was left open.

  python -m toy_superposition.main --config=configs/sae_dictionary.py        5 numbers × 10 seeds
  python -m toy_superposition.main --config=configs/sae_dictionary.py:quick  2 × 2

To expect: the dictionary becomes right with the number of examples, and with it the codes that
sparse coding finds; the encoder's own codes stay behind.

Chosen here: exactly 5 of 50 features on, uniform on [0, 1], in 24 = ⌈2 k ln(n/k)⌉ dimensions, 50
latents, k = 5; 5 000 steps of 512 examples, Adam at 3e-3 falling linearly to 0. Sparse coding is
nonnegative FISTA with λ = .02 and 300 steps.
"""

from toy_superposition.config import base

ABOUT = "Encoder or dictionary? Codes of sparse autoencoders over the number of training examples."
COST = "84 seconds; quick 15 seconds"  # on 2 CPU cores
# variant: (numbers of examples, seeds, steps, batch size)
SIZES = {
  "": ((300, 1000, 5000, 25_000, 125_000), 10, 5000, 512),
  "quick": ((300, 5000), 2, 300, 128),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  numbers, n_seeds, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("sae_dictionary", variant)))
  config.model.name, config.model.k = "topk_sae", 5.0
  config.model.n_features = config.model.n_hidden = 50
  config.data.distribution, config.data.k_active = "exactly_k", 5
  config.data.examples = "fixed"
  config.data.input, config.data.target = "dictionary", "input"
  config.data.n_dimensions = 24
  config.data.generator = "hash"
  config.train.optimizer = "adam"
  config.train.learning_rate = 3e-3
  config.train.schedule = "linear"
  config.train.steps = steps
  config.train.batch_size = batch_size
  base.set_axes(
    config,
    examples=base.points("data.n_examples", numbers),
    seed=base.points("data.dictionary", range(n_seeds)),
  )
  config.measures = ()
  config.evaluation.n_samples = 20_480
  config.experiment = "sae_dictionary"
  return config
