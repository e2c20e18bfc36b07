"""Random unit codes of n features, of which k are active: what is read linearly, and by pursuit.

Columns w_i of a code W (m × n) are independent and uniform on the sphere, x is 0 or 1, and y = W x.
The matched filter reads feature i as active if w_i · y > ½. Basis pursuit takes the x ≥ 0 of least
sum with W x = y. Follow-up: Garg, Kleinberg and Peng (2026).
"""

import functools
import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from scipy import optimize, special, stats

READ = 0.5  # above which a feature is read as active
FINE = 512  # steps per unit of the grid on which laws of sums of cosines are convolved
RECOVERED = 1e-4  # largest error of a recovered value; others are wrong by a multiple
LARGEST = 1e9  # dimensions below which thresholds are looked for
Code = Float[np.ndarray, "hidden feature"]
Cosines = Float[np.ndarray, "feature feature"]
Supports = Int[np.ndarray, "example active"]


def code(rows: Float[np.ndarray, "row feature"], n_hidden: int) -> Code:
  """Returns the random code of the first rows of a matrix of normal numbers: columns of norm 1."""
  W = rows[:n_hidden]
  return W / np.linalg.norm(W, axis=0)


def supports(rng: np.random.Generator, *, n: int, k: int, n_examples: int) -> Supports:
  """Returns the k active features of every example, all sets of k equally likely."""
  return rng.random((n_examples, n)).argpartition(k, axis=1)[:, :k]


def wrong(cosines: Cosines, chosen: Supports) -> Int[np.ndarray, "example"]:
  """Returns how many features of every example the matched filter reads wrongly."""
  scores = sum(cosines[active] for active in chosen.T)
  read = scores > READ
  inside = np.take_along_axis(read, chosen, axis=1).sum(axis=1)
  return read.sum(axis=1) - inside + (chosen.shape[1] - inside)


def ranked(
  cosines: Cosines,
) -> tuple[Int[np.ndarray, "feature feature"], Float[np.ndarray, "feature feature"]]:
  """Returns for every feature the others by their cosines with it, ascending, and these cosines;
  the first column is the feature itself."""
  others = cosines - 3 * np.eye(len(cosines))  # itself below all others
  order = np.argsort(others, axis=1)
  return order, np.take_along_axis(others, order, axis=1)


def reads_all(values: Float[np.ndarray, "feature feature"], k: int) -> bool:
  """Returns whether the matched filter reads every set of k features, from `ranked` cosines.

  A feature is read highest, though inactive, if the k features of the largest cosines with it are
  active; and lowest, though active, if the k − 1 of the smallest are.
  """
  high, low = values[:, -k:].sum(axis=1), 1 + values[:, 1:k].sum(axis=1)
  return bool(high.max() <= READ and low.min() > READ)


def worst_support(cosines: Cosines, k: int) -> Int[np.ndarray, "active"]:
  """Returns the k active features with which the matched filter reads an inactive one highest."""
  order, values = ranked(cosines)
  return order[values[:, -k:].sum(axis=1).argmax(), -k:]


def pursued(W: Code, active: Int[np.ndarray, "active"]) -> bool:
  """Returns whether basis pursuit with x ≥ 0 recovers these active features exactly."""
  x = np.zeros(W.shape[1])
  x[active] = 1
  # HiGHS: no tolerance of ours decides which vertex is the optimum.
  found = optimize.linprog(np.ones(len(x)), A_eq=W, b_eq=W @ x, bounds=(0, None), method="highs")
  return bool(found.status == 0 and np.abs(found.x - x).max() < RECOVERED)


@functools.cache
def tail(m: int, k: int) -> float:
  """Returns the probability that k independent cosines add up to more than ½.

  The cosine of a random direction with a given one has a density ∝ (1 − u²)^((m − 3)/2) for m ≥ 3.
  """
  u = np.linspace(-1, 1, 2 * FINE + 1)
  density = (1 - u**2) ** (0.5 * (m - 3))
  size = 2 * FINE * k + 1
  law = np.fft.irfft(np.fft.rfft(density / density.sum(), size) ** k, size)
  at = round((k + READ) * FINE)  # the cell of ½, half of which lies above
  return float(law[at + 1 :].sum() + law[at] / 2)


def expected_wrong(*, n: int, k: int, m: int) -> float:
  """Returns the exact mean, over codes and supports, of wrong features per example.

  Given w_i, the cosines of the active features with it are independent.
  """
  return (n - k) * tail(m, k) + k * (tail(m, k - 1) if k > 1 else 0.0)


def normal_wrong(*, n: int, k: int, m: float) -> float:
  """Returns (n − k) Q(½ √(m/k)) + k Q(½ √(m/(k − 1))): cosines as normal numbers of variance 1/m,
  whose tails are heavier."""
  active = k * stats.norm.sf(READ * (m / (k - 1)) ** 0.5) if k > 1 else 0.0
  return float((n - k) * stats.norm.sf(READ * (m / k) ** 0.5) + active)


def typical(*, n: int, k: int) -> float:
  """Returns the dimensions in which the matched filter reads half of the examples without an
  error: ln 2 wrong features per example on average, as of rare, independent errors."""
  return _crossing(lambda m: normal_wrong(n=n, k=k, m=m) / math.log(2))


def union(*, n: int, k: int) -> float:
  """Returns dimensions from which on at least half of the codes let the matched filter read every
  support, by a union bound with the tails of normal cosines.

  The expected number of wrong pairs (support, feature) is ¼ there. Among the larger dimensions on a
  grid with 16 in an octave it falls by half or more from one to the next, and adds up to ½.
  """

  def pairs(m: float) -> float:
    inactive = _log_choose(n - 1, k) + stats.norm.logsf(READ * (m / k) ** 0.5)
    if k == 1:
      return n * math.exp(inactive)
    active = _log_choose(n - 1, k - 1) + stats.norm.logsf(READ * (m / (k - 1)) ** 0.5)
    return n * float(np.exp(np.logaddexp(inactive, active)))

  return _crossing(lambda m: 4 * pairs(m))


def quadratic(*, n: int, k: int) -> float:
  """Returns 8 k² ln n: k times √(2 ln n / m), the size of the largest cosines, is ½."""
  return 8 * k**2 * math.log(n)


def any_code(*, n: int, k: int) -> float:
  """Returns dimensions below which no unit code lets the matched filter read every support of k.

  For a feature i let P and N be its positive and negative cosines in decreasing size. Reading
  needs Σ of the k largest ≤ ½ and of the k − 1 most negative ≥ −½. A decreasing sequence of p
  numbers whose first k add up to ≤ ½ has Σ P² ≤ max(¼, p/4k²), the value at the corners of that
  polytope; likewise Σ N² ≤ max(¼, (n − 1)/4(k − 1)²). If one sign has fewer than k or k − 1
  members, those of the other fill up the sum with at most ½, and Σ of its squares is ≤ 1. So
  Σ_j cos² ≤ 1 + max(¼, (n − 1)/4(k − 1)²) in each row, while the mean row has at least n/m − 1.
  """
  assert 2 <= k <= n / 2
  return n / (2 + max(0.25, (n - 1) / (4 * (k - 1) ** 2)))


def statistical_dimension(*, n: int, k: int) -> float:
  """Returns the dimensions in which pursuit with x ≥ 0 recovers half of the supports, if all
  entries of W are normal numbers: columns differ in norm.

  It is the descent cone's inf_τ k (1 + τ²) + (n − k) E (g − τ)₊² (Donoho and Tanner 2005; Amelunxen
  et al. 2014).
  """

  def of(threshold: float) -> float:
    t = threshold
    excess = (1 + t**2) * stats.norm.sf(t) - t * stats.norm.pdf(t)
    return float(k * (1 + t**2) + (n - k) * excess)

  return float(optimize.minimize_scalar(of, bounds=(0, 10), method="bounded").fun)


def _log_choose(n: int, k: int) -> float:
  return float(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1))


def _crossing(decreasing: Callable[[float], float]) -> float:
  """Returns the m at which a decreasing function of dimensions is 1."""
  return math.exp(optimize.brentq(lambda s: decreasing(math.exp(s)) - 1, 0, math.log(LARGEST)))
