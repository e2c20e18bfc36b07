"""Two features x and y, uniform on [0, 1), in one number: t = (⌊Zx⌋ + y) / Z.

Paper: "Toy Models of Superposition", appendix "Nonlinear Compression".
The code keeps y and Z levels of x. With ramps of width ε in place of the jumps the error grows.
Nothing is trained.

  python -m toy_superposition.main --config=configs/nonlinear_compression.py
  python -m toy_superposition.main --config=configs/nonlinear_compression.py:quick  same size

Nearly all of the time is start-up.
To expect: for Z = 3 and ε = .1 an error of .042, half that of the best linear code.

The paper leaves the shape of the ramps open; here encoder and decoder rise linearly over the last ε
before each inner jump, in units of the level.
"""

from toy_superposition.config import base

ABOUT = "Nonlinear compression: two dense features in one number, by a steep code."
COST = "8 seconds; quick 10"  # on 2 CPU cores

SIZES = {"": (), "quick": ()}  # there is nothing to reduce


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  config = base.get_config()
  config.name = "_".join(filter(None, ("nonlinear_compression", variant)))
  config.model.n_features = 2
  config.model.n_hidden = 1
  config.density.base = 1.0
  config.train.steps = 0
  config.evaluation.n_samples = 1
  config.measures = ()
  config.experiment = "nonlinear_compression"
  return config
