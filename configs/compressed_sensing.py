"""100 equally important features in ten dimensions at 13 densities; vectors spread out by a search.

Paper: "Toy Models of Superposition", appendix "Connection to Compressed Sensing": features per
dimension F = O(1/(−p ln p)); and the remark that exponentially many almost orthogonal vectors fit
into a space.

  python -m toy_superposition.main --config=configs/compressed_sensing.py        13 densities
  python -m toy_superposition.main --config=configs/compressed_sensing.py:quick   5

To expect: F (−p ln p) between .5 and 1.2 for p ≤ 1/2; 30 vectors with |cos| ≤ ½ in 6 dimensions.

The paper makes no experiment of this. Sizes and densities 10^(−k/12) are those of a small version
of its uniform superposition; Adam at 3e-3 decaying to 0 by a cosine. The search finds local minima:
more vectors may fit than it finds.
"""

from toy_superposition.config import base

ABOUT = "Compressed sensing: how many features sparsity and geometry allow in a space."
COST = "26 seconds; quick 12"  # on 2 CPU cores

# variant: (densities, steps, batch size)
SIZES = {"": (13, 4000, 512), "quick": (5, 500, 128)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  num, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("compressed_sensing", variant)))
  config.model.n_features = 100
  config.model.n_hidden = 10
  config.data.generator = "hash"
  config.train.optimizer = "adam"
  config.train.learning_rate = 3e-3
  config.train.schedule = "cosine"
  config.train.steps = steps
  config.train.batch_size = batch_size
  base.set_axes(config, density=base.log("density.base", 1, 0.1, num))
  config.evaluation.n_samples = 20_480
  config.experiment = "compressed_sensing"
  return config
