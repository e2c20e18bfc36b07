"""Every training input is perturbed along a random row of WᵀW; the target is the clean input.

Paper: "Toy Models of Superposition", section "Relationship to Adversarial Robustness": a remark
without a figure.

  python -m toy_superposition.main --config=configs/adversarial_training.py        9 attacks × 3 × 2
  python -m toy_superposition.main --config=configs/adversarial_training.py:quick  3 × 2 × 1

To expect: the larger the attacks, the fewer features share dimensions, and hardly any do at .8 of
the input's norm, as the paper says; weights shrink to half on the way, and the loss rises by a
fifth to a half.

The paper states no set-up: sizes, optimizer and steps are those of configs/adversarial.py. Attacks
have the sign that raises outputs. Every size of attack is a program of its own.
"""

from toy_superposition.config import base

ABOUT = "Training against attacks removes superposition if they are nearly as large as the input."
COST = "68 seconds; quick 20"  # on 2 CPU cores

# variant: (attacks, densities, restarts, steps, batch size)
SIZES = {
  "": ((0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.2), (0.2, 0.1, 0.05), 2, 2000, 512),
  "quick": ((0.0, 0.4, 1.0), (0.2, 0.05), 1, 300, 128),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick or nothing."""
  variant = base.choose(variant, ("quick",))
  attacks, densities, n_restarts, steps, batch_size = SIZES[variant]
  config = base.shipped("adversarial")
  config.name = "_".join(filter(None, ("adversarial_training", variant)))
  config.train.steps = steps
  config.train.batch_size = batch_size
  base.set_axes(
    config,
    attack=base.points("loss.attack", attacks),
    density=base.points("density.base", densities),
    restart=base.restarts(n_restarts),
  )
  config.experiment = "adversarial_training"
  return config
