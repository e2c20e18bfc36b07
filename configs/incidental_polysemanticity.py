"""Enough neurons for every feature, and some are shared nevertheless: polysemanticity by chance.

Paper: "Toy Models of Superposition", section "Superposition in a Privileged Basis"; follow-up by
Lecomte, Thaman, Schaeffer, Bashkansky, Chow and Koyejo (2023), "What Causes Polysemanticity? An
Alternative Origin Story of Mixed Selectivity from Incidental Causes": x′ = ReLU(WᵀW x) without a
bias, inputs e_i, at least as many hidden units as features, and an L1 penalty of 1e-3 on them.

  python -m toy_superposition.main --config=configs/incidental_polysemanticity.py        n = 64
  python -m toy_superposition.main --config=configs/incidental_polysemanticity.py:quick  n = 16
  python -m toy_superposition.main --config=configs/incidental_polysemanticity.py:full   n = 256

To expect: every feature ends on one neuron, and about n(n − 1)/4m neurons end with two features of
opposite sign. Their loss is that of a neuron for every feature, the
optimum.

Of the source's set-up the sizes (n = 256, m = 256 to 4 096), the penalty and 7 500 steps are
taken over. Chosen here: weights of variance 1/m, so that columns begin with a norm near 1; gradient
descent on all inputs with momentum .9 at a rate of .1 on the sum over inputs. The rate rises for
500 steps, as some trainings diverge at m = n otherwise, and then falls to 0 linearly: a flow of
length 3 500, since the penalty takes a few 1/λ to leave a feature one neuron. At a constant rate
all m |w| of a feature swing about 0 and cost up to 5 % of the objective.
"""

from toy_superposition.config import base

ABOUT = "Neurons that two features share although there is one for each, by chance at the start."
COST = "25 seconds; quick 15 seconds; full 30 minutes estimated"  # on 2 CPU cores
WARMUP = 500  # steps in which interference at the start goes away: without them some diverge
STEP = 0.1  # of the learning rate on the sum over inputs, of which the loss is the mean
# variant: (features, hidden units, restarts, steps)
SIZES = {
  "": (64, (64, 128, 256, 512), 16, 7500),
  "quick": (16, (16, 32), 3, 7500),
  "full": (256, (256, 512, 1024, 2048, 4096), 5, 7500),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  n, hidden, n_restarts, steps = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("incidental_polysemanticity", variant)))
  config.model.name, config.model.n_features = "unbiased_relu_output", n
  config.data.distribution, config.data.value_law = "one_hot", "one"
  config.init.scheme = "unit_columns"
  config.loss.hidden_l1 = 1e-3
  config.train.estimator, config.train.optimizer = "exact", "sgd"
  config.train.momentum, config.train.weight_decay = 0.9, 0.0
  config.train.learning_rate, config.train.schedule = STEP * n, "linear"
  config.train.steps, config.train.warmup_steps = steps, WARMUP
  base.set_axes(config, m=base.points("model.n_hidden", hidden), restart=base.restarts(n_restarts))
  config.measures = ()
  config.evaluation.method = "exact"
  config.history.num = 2  # the weights before and after training
  config.experiment = "incidental_polysemanticity"
  return config
