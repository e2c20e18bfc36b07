"""Linear against nonlinear access: how many dimensions does reading k active features need?

Paper: "Toy Models of Superposition", appendix "Connection to Compressed Sensing"; follow-up by
Garg, Kleinberg and Peng (2026), who prove that linear decoding of every k-sparse input needs
Ω(k²/log k · log(n/k)) dimensions, that O(k² log n) suffice, and that nonlinear decoding needs
k log(n/k). Random unit codes of n = 256 features, exactly k of which are active with the value 1: a
matched filter reads at 1/2, basis pursuit takes the nonnegative solution of least sum. Nothing is
trained: the package's own models take no step.

  python -m toy_superposition.main --config=configs/access.py        10 codes
  python -m toy_superposition.main --config=configs/access.py:quick   2 codes

To expect: for random supports a matched filter needs about 31 k dimensions and pursuit 3 k to 4 k;
for every support a matched filter needs about 8k² ln n, which is more than n from k = 3 on. So the
quadratic price is one of the worst case.

The follow-up states orders of magnitude and no experiment. Sizes, k = 2 to 12 and "half of the
supports are read" as the mark of all three curves are chosen here.
"""

from toy_superposition.config import base

ABOUT = "Dimensions that reading k active features needs: linearly, by pursuit, and at worst."
COST = "53 seconds; quick 15 seconds"  # on 2 CPU cores
SIZES = {"": 10, "quick": 2}  # variant: codes


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  config = base.get_config()
  config.name = "_".join(filter(None, ("access", variant)))
  config.model.n_features = 256
  config.model.n_hidden = 1
  config.train.steps = 0
  config.evaluation.n_samples = 1
  base.set_axes(config, restart=base.restarts(SIZES[variant]))
  config.measures = ()
  config.experiment = "access"
  return config
