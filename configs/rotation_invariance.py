"""The models of a linear hidden layer and of one with a ReLU, side by side, and rotated at random.

Paper: "Toy Models of Superposition", section "Superposition in a Privileged Basis", which compares
W of the two models. Ten features of importance .75ⁱ in five hidden units, densities .75 and .1.

  python -m toy_superposition.main --config=configs/rotation_invariance.py        2 models × 2 × 8
  python -m toy_superposition.main --config=configs/rotation_invariance.py:quick  2 models × 2 × 2

Most of the time is compilation.
To expect: relative changes of the loss of at most 1e-6 where the hidden layer is linear, and of 1
and more where it has a ReLU. At p = .75 every unit with a ReLU stands for one feature; those of the
linear layer stand for as many as in a random basis.

The paper states no density for this comparison. At .75 each of five features has a dimension to
itself in both models; at .1 both have features in superposition.
The other settings are those of privileged_basis.py, for the reasons given there, but 3 000 steps.
The model of absolute values is rotated in absolute_value.py and absolute_value_small.py.
"""

from toy_superposition.config import base

ABOUT = "Linear hidden layer beside one with a ReLU: only the ReLU makes the basis mean something."
COST = "20 seconds; quick 19"

# variant: (restarts, steps)
SIZES = {"": (8, 3000), "quick": (2, 1000)}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_restarts, steps = SIZES[variant]
  config = base.shipped("privileged_basis")
  config.name = "_".join(filter(None, ("rotation_invariance", variant)))
  config.model.name = "relu_output"  # of the two, which the axis sets
  config.train.steps = steps
  base.set_axes(
    config,
    model=base.points("model.name", ("relu_output", "relu_hidden")),
    density=base.points("density.base", (0.75, 0.1)),
    restart=base.restarts(n_restarts),
  )
  config.evaluation.n_samples = 20_480
  config.experiment = "rotation_invariance"
  return config
