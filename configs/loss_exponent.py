"""A linear model stores T binary features in two dimensions: what do exponents of the loss prefer?

Paper: "Toy Models of Superposition", section "Mathematical Understanding", which treats the squared
error; follow-up by Linsefors and co-author (2026) on losses that reward superposition in a linear
readout. Exactly z of T features are 1, and the model x′ = W₂ W₁ x, untied and without a bias, is
compared with x by the mean of |x − x′|^q, or by the cross-entropy of softmax(x′).

  python -m toy_superposition.main --config=configs/loss_exponent.py        T = 3 … 6, z = 1 and 2
  python -m toy_superposition.main --config=configs/loss_exponent.py:quick  T = 3 and 4, z = 1
  python -m toy_superposition.main --config=configs/loss_exponent.py:full   T = 3 … 8, z = 1 to 3

Nearly all of the time is compilation: a program for each T, z and kind of loss.
To expect: with the squared error and z = 1 every plane is equally good, (T − 2)/T². With q ≥ 4 the
features are evenly spaced lines; for q between 2 and 4 some of them coincide if T is even. With
z = 2 they coincide for every q > 2 from T = 5 on.

Losses are exact, over all C(T, z) inputs. Chosen here: 300 steps of BFGS from 40 random starts.
"""

from toy_superposition.config import base

ABOUT = "Linear readout of binary features in a plane: which embeddings each loss prefers."
COST = "31 seconds; quick 15 seconds; full 4 minutes"  # on 2 CPU cores
# Label → (loss, exponent q; not used by cross-entropy).
LOSSES = {
  "L2": ("power", 2.0),
  "L2.5": ("power", 2.5),
  "L3": ("power", 3.0),
  "L3.5": ("power", 3.5),
  "L4": ("power", 4.0),
  "L6": ("power", 6.0),
  "cross-entropy": ("cross_entropy", 2.0),
}
# variant: (numbers of features T, of active features z, restarts)
SIZES = {
  "": ((3, 4, 5, 6), (1, 2), 40),
  "quick": ((3, 4), (1,), 6),
  "full": ((3, 4, 5, 6, 7, 8), (1, 2, 3), 100),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  counts, active, n_restarts = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("loss_exponent", variant)))
  config.model.name, config.model.n_hidden = "untied_linear", 2
  config.model.output_bias = False
  config.data.distribution, config.data.value_law = "exactly_k", "one"
  config.loss.reduction = "mean"
  config.train.estimator, config.train.optimizer = "exact", "bfgs"
  config.train.steps = 300
  names, exponents = zip(*LOSSES.values(), strict=True)
  base.set_axes(
    config,
    n=base.points("model.n_features", counts),
    active=base.points("data.k_active", active),
    loss_name=base.together({"loss.name": names, "loss.q": exponents}, LOSSES),
    restart=base.restarts(n_restarts),
  )
  config.measures = ()
  config.evaluation.method = "exact"
  config.experiment = "loss_exponent"
  return config
