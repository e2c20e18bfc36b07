"""How does the loss fall with the number of dimensions, with weak and with strong superposition?

Paper: "Toy Models of Superposition", section "The Geometry of Superposition"; the question and the
set-up are those of Liu, Liu and Gore (2025), "Superposition Yields Robust Neural Scaling": features
on [0, 2], one active on average, with frequencies p_i ∝ i^−(1+α), exponential or linear; a weight
decay γ that is negative draws the norms of all directions to 1 (strong superposition).

  python -m toy_superposition.main --config=configs/superposition_scaling.py        5 × 5 × 4 m × 5
  python -m toy_superposition.main --config=configs/superposition_scaling.py:quick  2 × 2 × 2 × 2
  python -m toy_superposition.main --config=configs/superposition_scaling.py:full   1 000 features

To expect: with γ = −1 the loss falls about as 1/m; with γ > 0 it is 4/3 of the summed frequencies
of the features that are not represented, a power law only if the frequencies are one. The regime
hangs on the biases' first values: from normal ones, as published, many features never become active
and are lost; from zeros, the decay leaves superposition in place, and the loss falls faster than
1/m.

The published runs have m = 10 to 100 of n = 1 000 features, 2 048 examples, 20 000 steps at the
rate .01 after 2 000 of warm-up, falling along a cosine to a twentieth (here to 0), γ from −1 to 1,
α from −1 to 1. Chosen here: n = 256, 4 000 steps of 256 examples. γ = .3 stands beside γ = 1, whose
decay shortens directions in dimensions as few as 4 or 8: a weight of Adam's is at most 1/γ, and
near that only where all gradients agree.
"""

from toy_superposition.config import base

ABOUT = "Loss against dimensions with weak and strong superposition: which power law, and why."
COST = "3 minutes; quick 10 seconds"  # on 2 CPU cores
N_FEATURES = 256


def power(alpha: float) -> tuple[float, float]:
  """Returns tail and scale of p_i ∝ i^−(1+α)."""
  return 1 / (1 + alpha), 1 / (1 + alpha)


# Label → (tail, scale) of density.profile = "pareto".
FREQUENCIES = {
  "α = 0": power(0.0),
  "α = 0.5": power(0.5),
  "α = 1": power(1.0),
  "exponential": (0.0, 25.6),
  "linear": (-1.0, 256.0),
}
QUICK = {name: FREQUENCIES[name] for name in ("α = 0", "exponential")}
PUBLISHED = {f"α = {alpha:g}": power(alpha) for alpha in (-0.5, 0.0, 0.25, 0.5, 0.75, 1.0)} | {
  "exponential": (0.0, 100.0),
  "linear": (-1.0, 1000.0),
}
# Label → (γ, standard deviation of the first biases).
REGIMES = {
  "strong": (-1.0, 1.0),
  "strong, biases from 0": (-1.0, 0.0),
  "weak": (1.0, 1.0),
  "less decay": (0.3, 1.0),
  "less decay, biases from 0": (0.3, 0.0),
}
FEW = {name: REGIMES[name] for name in ("strong", "weak")}
# variant: (frequencies, regimes, n, widths m, restarts, steps, batch size)
SIZES = {
  "": (FREQUENCIES, REGIMES, N_FEATURES, (4, 8, 16, 32), 5, 4000, 256),
  "quick": (QUICK, FEW, 64, (4, 8), 2, 200, 128),
  "full": (PUBLISHED, REGIMES, 1000, (10, 15, 25, 39, 63, 100), 10, 20_000, 2048),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  frequencies, regimes, n, widths, n_restarts, steps, batch_size = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("superposition_scaling", variant)))
  config.model.n_features = n
  config.init.scheme = "unit_columns"
  config.data.distribution, config.data.value_law = "independent", "uniform_to_two"
  config.data.generator = "hash"
  config.density.profile, config.density.base = "pareto", 1.0
  config.train.optimizer = "norm_adamw"
  config.train.learning_rate = 1e-2
  config.train.schedule, config.train.warmup_steps = "cosine", steps // 10
  config.train.steps = steps
  config.train.batch_size = batch_size
  tails, scales = zip(*frequencies.values(), strict=True)
  decays, biases = zip(*regimes.values(), strict=True)
  base.set_axes(
    config,
    frequencies=base.together({"density.tail": tails, "density.scale": scales}, frequencies),
    regime=base.together({"train.norm_decay": decays, "init.bias": biases}, regimes),
    restart=base.restarts(n_restarts),
    m=base.points("model.n_hidden", widths),
  )
  config.measures = ("feature_norm",)
  config.evaluation.n_samples = 20_480
  config.experiment = "superposition_scaling"
  return config
