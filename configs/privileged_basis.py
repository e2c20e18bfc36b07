"""A ReLU in the hidden layer: neurons stand for one feature when dense, for several when sparse.

Paper: "Toy Models of Superposition", section "Superposition in a Privileged Basis". Ten features of
importance .75ⁱ in five neurons, h = ReLU(W x), x′ = ReLU(Wᵀ h + b); the best of many restarts at
each density, since most end in another arrangement.

  python -m toy_superposition.main --config=configs/privileged_basis.py        7 densities × 1000
  python -m toy_superposition.main --config=configs/privileged_basis.py:quick  7 densities × 24

Measured on 2 CPU cores, start-up and compilation included: 204 seconds beside other
programs, 167 of processor time; quick 13.
To expect: 5, 3, 2, 1 and then 0 neurons that stand for one feature; at p = .35 three features share
two neurons as (+,+), (+,−), (−,+), at p = .03 each feature has a pair of neurons.

A neuron stands for one feature if that has more than .9 of its squared weights and a positive
weight: a feature that only silences a neuron is not what the neuron stands for.

Sizes, importances and the best of 1000 restarts are the paper's. It states no optimizer, steps or
batch; Adam with cosine decay reaches lower losses in 4 000 small batches than longer training at a
constant rate. The densities are one in every regime that it names. The sixteen best restarts of
each density are judged again on more examples, because they differ by less than a percent.
"""

from configs import base

# variant: (restarts, steps)
SIZES = {"": (1000, 4000), "quick": (24, 1500)}
# One point in every regime that the paper names, and its .08 and .05 within one.
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
  config.analysis = "privileged_basis"
  config.figures = ("privileged_basis",)
  return config
