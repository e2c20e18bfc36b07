"""Regular polygons in two dimensions, for inputs with exactly one active feature.

Chen, Lau, Mendel, Wei, Murfet (2023), "Dynamical versus Bayesian Phase Transitions in a Toy Model
of Superposition": x = a e_i with i uniform among n features and a uniform on [0, 1], in m = 2
dimensions with x′ = ReLU(WᵀW x + b). Of k features at equal angles, of one squared norm l and one
bias b, each costs

  (1/n) Σ_j ∫₀¹ (δ_j a − ReLU(l cos(2πj/k) a + b))² da,

a polynomial between kinks. A feature without a direction costs 1/(3n) − 1/(4n²) at the bias
1/(2n), its mean. The levels of n features are those of k in a polygon and n − k without a
direction; each is the loss of a model, so the optimum is at most the lowest of them.
"""

import functools

import numpy as np

STARTS = ((0.1, 0.0), (0.3, -0.3), (0.7, -1.0))  # (log of l, b) of the descents


def _rectified(target: float, gain: float, bias: float) -> float:
  """Returns ∫₀¹ (target · a − ReLU(gain · a + bias))² da."""
  kink = float(np.clip(-bias / gain, 0, 1)) if gain else 0.0
  total = 0.0
  for low, high in ((0.0, kink), (kink, 1.0)):
    on = gain * (low + high) / 2 + bias > 0
    slope, offset = (target - gain, -bias) if on else (target, 0.0)
    middle, length = slope * (low + high) / 2 + offset, high - low
    total += length * (middle**2 + (slope * length) ** 2 / 12)
  return total


def feature_loss(k: int, square_norm: float, bias: float) -> float:
  """Returns n times the loss of one of the k features of a polygon, its own input included."""
  gains = square_norm * np.cos(2 * np.pi * np.arange(k) / k)
  others = sum(_rectified(0.0, float(gain), bias) for gain in gains[1:])
  return _rectified(1.0, square_norm, bias) + others


def _of_logarithm(z: np.ndarray, k: int) -> float:
  return feature_loss(k, float(np.exp(z[0])), float(z[1]))


@functools.cache
def best_feature_loss(k: int) -> float:
  """Returns n times the loss of a feature of the best polygon of k ≥ 4 features, whose bias is not
  positive: inputs of features outside of the polygon then cost it nothing."""
  from scipy.optimize import minimize  # takes a fifth of a second to import

  found = [
    minimize(_of_logarithm, start, (k,), method="Nelder-Mead", options={"xatol": 1e-9})
    for start in STARTS
  ]
  best = min(found, key=lambda one: float(one.fun))
  assert best.x[1] <= 1e-6
  return float(best.fun)


def absent_loss(n_features: int) -> float:
  """Returns the loss of a feature without a direction, at its best bias."""
  return 1 / (3 * n_features) - 1 / (4 * n_features**2)


def level(k: int, n_features: int) -> float:
  """Returns the loss, summed over features, of a polygon of k of n features, the others without a
  direction."""
  return k * best_feature_loss(k) / n_features + (n_features - k) * absent_loss(n_features)


def lowest(n_features: int) -> tuple[int, float]:
  """Returns the polygon of the lowest level among n ≥ 4 features, and that level."""
  levels = {k: level(k, n_features) for k in range(4, n_features + 1)}
  best = min(levels, key=lambda k: levels[k])
  return best, levels[best]
