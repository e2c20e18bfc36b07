"""Fewer ReLU neurons than features: does a network compute more than its neurons' number of ReLUs?

Paper: "Toy Models of Superposition", section "Computation in Superposition"; follow-ups: Braun et
al. (2025), "Interpretability in Parameter Space", whose model of 100 features and 50 neurons is
called compressed computation, and two studies of 2026, arXiv 2606.14673 and 2607.04800, which trace
its gain to the mixing matrix in the labels, and find with the loss L4 a network that computes all
features. y = ReLU(x) + c M x is asked for, with x uniform on [−1, 1) where active.

  python -m toy_superposition.main --config=configs/compressed_computation.py        20 models
  python -m toy_superposition.main --config=configs/compressed_computation.py:quick   8
  python -m toy_superposition.main --config=configs/compressed_computation.py:full    40

To expect: without mixing, L2 training ends at the loss of computing half of the features and
leaving the others; with mixing it ends lower. L4 answers every feature about equally, far better in
L4 and worse in L2.

The default has half the published size, 50 features, 25 neurons and p = .02, with as many active
features in an example. Adam at 3e-3 falling to 0 by a cosine, without biases.
"""

from toy_superposition.config import base

ABOUT = "Compressed computation: half as many ReLU neurons as features, with L2 and with L4."
COST = "28 seconds; quick 15 seconds; full about an hour"  # on 2 CPU cores
# variant: (features, neurons, density, seeds, steps, batch size, samples)
SIZES = {
  "": (50, 25, 0.02, 5, 4000, 1024, 2**16),
  "quick": (20, 10, 0.05, 2, 300, 256, 2**13),
  "full": (100, 50, 0.01, 10, 20_000, 2048, 2**18),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  n, d, density, n_seeds, steps, batch_size, n_samples = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("compressed_computation", variant)))
  config.model.name, config.model.n_features, config.model.n_hidden = "relu_mlp", n, d
  config.model.output_bias = False
  config.data.distribution, config.data.target = "sparse_signed_uniform", "mixed_relu"
  config.data.generator = "hash"
  config.density.base = density
  config.loss.name = "power"
  config.train.optimizer = "adam"
  config.train.learning_rate = 3e-3
  config.train.schedule = "cosine"
  config.train.steps = steps
  config.train.batch_size = batch_size
  base.set_axes(
    config,
    mixing=base.points("data.mixing", (0.0, 1.0)),
    q=base.points("loss.q", (2.0, 4.0)),
    restart=base.restarts(n_seeds),
  )
  config.measures = ()
  config.evaluation.n_samples = n_samples
  config.experiment = "compressed_computation"
  return config
