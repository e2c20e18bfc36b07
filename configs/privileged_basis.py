"""Ten features in five neurons with a ReLU in the hidden layer: h = ReLU(W x), x′ = ReLU(Wᵀ h + b).

Paper: "Toy Models of Superposition", section "Superposition in a Privileged Basis". Features have
importance .75ⁱ. At each density the best of many restarts counts, since most restarts end in
another arrangement.

  python -m toy_superposition.main --config=configs/privileged_basis.py        7 densities × 1000
  python -m toy_superposition.main --config=configs/privileged_basis.py:quick  7 densities × 24

Of the 204 seconds, measured beside other programs, 167 are processor time.
To expect: 5, 3, 2, 1 and then 0 monosemantic neurons; at p = .35 three features share two neurons
as (+,+), (+,−), (−,+); at p = .03 each feature has a pair of neurons.

A neuron is monosemantic if one feature has more than .9 of its squared weights. The paper names no
sign; since a neuron does not represent a feature that can only silence it, it is also said how many
have a positive weight.

Sizes, importances and the best of 1000 restarts are the paper's. The paper states no optimizer,
steps or batch size; Adam with cosine decay reaches lower losses in 4 000 small batches than longer
training at a constant rate. There is one density in every regime that the paper names. Since the
losses of the best restarts differ by less than a percent, they are found by successive halving on
ever more examples; the last sixteen are compared on a million others.
"""

from toy_superposition.config import base

ABOUT = "A ReLU in the hidden layer: monosemantic neurons when dense, polysemantic when sparse."
COST = "90 to 204 seconds; quick 13"

# variant: (restarts, steps)
SIZES = {"": (1000, 4000), "quick": (24, 1500)}
# One in every regime that the paper names, and two (.08 and .05) in the same regime.
DENSITIES = (0.75, 0.35, 0.15, 0.12, 0.08, 0.05, 0.03)


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  n_restarts, steps = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("privileged_basis", variant)))
  config.model.name = "relu_hidden"
  config.model.n_features = 10
  config.model.n_hidden = 5
  config.data.generator = "hash"
  config.importance.profile = "geometric"
  config.importance.ratio = 0.75
  config.train.steps = steps
  config.train.batch_size = 256
  config.train.optimizer = "adam"
  config.train.learning_rate = 1e-2
  config.train.schedule = "cosine"
  base.set_axes(
    config,
    density=base.points("density.base", DENSITIES),
    restart=base.restarts(n_restarts),
  )
  config.evaluation.n_samples = 5120
  config.experiment = "privileged_basis"
  return config
