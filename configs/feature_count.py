"""More and more equally important features in the same dimensions, at two densities.

Paper: "Toy Models of Superposition", section "The Geometry of Superposition": a remark that the
number of features n does not matter if it is much larger than the number of dimensions m.

  python -m toy_superposition.main --config=configs/feature_count.py        n up to 1 024, m 8, 32
  python -m toy_superposition.main --config=configs/feature_count.py:quick  n up to 256, m = 4
  python -m toy_superposition.main --config=configs/feature_count.py:full   n up to 2¹⁷, m up to 128

The seconds per step that are stored are those of the machine and its load; two runs agree in all
other numbers.
To expect: the loss saved per dimension is the same within 2 % at every n. D* at m = 8 rises by 6 %
(density .05) and 2 % (.02) from n = 64 to 1 024; with batches of 512, from n = 128 to 2 048, by
27 % and 21 %. Arrangements of more and of fewer features are almost equally good, and the noise of
gradients prefers fewer.

The paper states no set-up for the remark. As long as norms are even and n ≫ m no ReLU ever clips,
the model is linear, and all subspaces are equally good: with n = 4 096, m = 8 and batches of 128
models of density .1 were still there after 3 000 steps, at D* > .95. So n is limited to what
training reaches in the time, and densities are low; denser models need more steps still.
"""

from toy_superposition.config import base

ABOUT = "Whether the number of features matters if it is much larger than that of dimensions."
COST = "6 minutes beside other work; quick half a minute; full was not run"

# variant: (numbers of features, hidden dimensions, densities, restarts, steps, batch size)
SIZES = {
  "": ((64, 256, 1024), (8, 32), (0.05, 0.02), 2, 2000, 2048),
  "quick": ((64, 128, 256), (4,), (0.1, 0.05), 2, 2000, 128),
  "full": (tuple(2**k for k in range(7, 18, 2)), (8, 32, 128), (0.1, 0.05, 0.02), 2, 50_000, 4096),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  features, hidden, densities, n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("feature_count", variant)))
  config.train.optimizer = "adam"
  config.train.b1 = 0.99
  config.train.weight_decay = 0.0
  config.train.learning_rate = 3e-3
  config.train.schedule = "cosine"
  config.train.steps = steps
  config.train.batch_size = batch_size
  config.data.generator = "hash"
  base.set_axes(
    config,
    n=base.points("model.n_features", features),
    m=base.points("model.n_hidden", hidden),
    density=base.points("density.base", densities),
    restart=base.restarts(n_restarts),
  )
  config.evaluation.n_samples = 10_240
  # Measures of pairs would take n² numbers; the analysis computes those of represented features.
  config.measures = ("feature_norm", "dimensions_per_feature")
  config.experiment = "feature_count"
  return config
