"""Gaussian mean field of x′ = ReLU(WᵀW x + b) with many equally dense features.

Sources: Guo, Liu, Gore (2026), "From partial to full representation"; the derivation here is our
own. If m dimensions hold l m features of squared norm a whose directions form a tight frame, then
every one of them sees the interference of the others as noise of variance

  s² = a² (l − 1) V,   V = Var x = p/3 − p²/4,

since WWᵀ = a l I; its mean goes into the bias. For many features the noise is normal. The loss of a
represented feature, at the best gain a and bias b, is then

  g(l) = min over a, b of (1 − p) E ReLU(b + s ζ)² + p E (x − ReLU(a x + b + s ζ))²,

with x uniform on [0, 1] and ζ standard normal. All integrals have closed forms. Nothing here is a
bound: directions whose cosines are rather negative than positive, which the ReLU cuts off, are
better than normal noise.
"""

import functools
from typing import Any, NamedTuple

import numpy as np

# Grid of gains and biases on which the search for the best ones begins.
GAINS, BIASES = np.linspace(0.04, 2, 50), np.linspace(-1.2, 0.4, 65)
N_LOADS = 30  # of the grid on which the search for the best load begins
MAX_LOAD = 12.0  # its end, in units of 1 / (p ln 1/p); the best load is near .9 of them
SMALLEST = 1e-9  # gain, at which a feature is as good as ignored


class Code(NamedTuple):
  """The best gain and bias of features at one load, or at one variance of the noise."""

  loss: float  # per feature
  gain: float  # a, squared norm of a column
  bias: float  # b


def variance(p: Any) -> Any:
  """Returns V = p/3 − p²/4, the loss of a feature that is replaced by its mean."""
  return p / 3 - p**2 / 4


def rectified_moments(u: Any, s: Any) -> tuple[Any, Any, Any]:
  """Returns E ReLU(u + s ζ)ᵏ for k = 1, 2, 3, elementwise, with ζ standard normal.

  Args:
    u: mean.
    s: standard deviation, ≥ 0.
  """
  from scipy import special

  positive = np.maximum(s, 1e-150)  # at s = 0 the limits are those of ReLU(u)ᵏ
  z = np.clip(u / positive, -1e3, 1e3)
  below, density = special.ndtr(z), np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
  first = u * below + s * density
  second = (u**2 + s**2) * below + u * s * density
  third = (u**3 + 3 * u * s**2) * below + (u**2 * s + 2 * s**3) * density
  return first, second, third


def noisy_loss(a: Any, b: Any, s: Any, p: Any) -> Any:
  """Returns E (x − ReLU(a x + b + s ζ))² of a feature of density p, elementwise.

  Args:
    a: gain, > 0.
    b: bias.
    s: standard deviation of the interference.
    p: density; active values are uniform on [0, 1].
  """
  _, at_rest, low = rectified_moments(b, s)
  _, at_one, high = rectified_moments(a + b, s)
  # ∫ R₂ = R₃ / 3a and ∫ x R₁ = R₂ / 2a − ∫ R₂ / 2a over x from 0 to 1, since Rₖ′ = k Rₖ₋₁.
  active = 1 / 3 - at_one / a + (high - low) * (1 + a) / (3 * a**2)
  return (1 - p) * at_rest + p * active


def _loss_at(point: np.ndarray, noise: float, p: float, gain: float | None) -> float:
  """Returns the loss at (bias, gain), or at (bias,) if the gain is given."""
  a = abs(float(point[1])) + SMALLEST if gain is None else gain
  return float(noisy_loss(a, float(point[0]), a * noise, p))


def best_code(noise: float, p: float, gain: float | None = None) -> Code:
  """Returns the best gain and bias if the interference at gain a has the deviation a · noise.

  Args:
    noise: deviation of the interference at gain 1.
    p: density of the feature.
    gain: a, where it is given rather than chosen.
  """
  from scipy import optimize  # takes a fifth of a second to import

  gains = GAINS if gain is None else np.array([gain])
  grid = noisy_loss(gains[:, None], BIASES, gains[:, None] * noise, p)
  i, j = np.unravel_index(np.argmin(grid), grid.shape)
  start = [BIASES[j], gains[i]] if gain is None else [BIASES[j]]
  found = optimize.minimize(
    _loss_at,
    start,
    args=(noise, p, gain),
    method="Nelder-Mead",
    options={"xatol": 1e-9, "fatol": 1e-14, "maxiter": 2000},
  )
  a = abs(float(found.x[1])) + SMALLEST if gain is None else gain
  return Code(float(found.fun), float(a), float(found.x[0]))


@functools.lru_cache(maxsize=4096)
def represented(load: float, p: float) -> Code:
  """Returns g(l) with the gain and bias that reach it.

  Args:
    load: l ≥ 1, represented features per dimension.
    p: density of all features.
  """
  return best_code(float(np.sqrt((load - 1) * variance(p))), p)


def _not_saved(log_load: float, p: float) -> float:
  """Returns −l (V − g(l)) at a logarithm of the load."""
  load = float(np.exp(log_load))
  return -load * (float(variance(p)) - represented(load, p).loss)


@functools.lru_cache(maxsize=256)
def best_load(p: float) -> float:
  """Returns l*, the load that maximises l (V − g(l)), what a dimension saves.

  Below the critical width n / l* a model represents l* m features and ignores the others, whatever
  m: the loss is linear in m. Above it, all are represented.

  Args:
    p: density of all features, in (0, 1).
  """
  from scipy import optimize

  end = max(MAX_LOAD / (p * np.log(1 / p)), 2)
  loads = np.linspace(0, np.log(end), N_LOADS)
  k = int(np.argmin([_not_saved(x, p) for x in loads]))
  found = optimize.minimize_scalar(
    _not_saved,
    bounds=(loads[max(k - 1, 0)], loads[min(k + 1, N_LOADS - 1)]),
    args=(p,),
    method="bounded",
    options={"xatol": 1e-6},
  )
  return float(np.exp(found.x))


def share_represented(ratio: float, p: float) -> float:
  """Returns the share of features that the best model represents at m/n = `ratio`."""
  return min(1.0, ratio * best_load(p))


def loss_per_feature(ratio: float, p: float) -> float:
  """Returns the loss per feature at m/n = `ratio` ≤ 1: linear below the critical width, then g."""
  load, v = best_load(p), float(variance(p))
  if ratio * load < 1:
    return v - ratio * load * (v - represented(load, p).loss)
  return represented(1 / ratio, p).loss
