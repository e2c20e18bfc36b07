"""Which polytopes make the best use of a hidden dimension, at every density, without training.

Features in orthogonal subspaces do not interact. So m dimensions may be divided among small blocks,
each of some features in a subspace of its own, and the losses add up; features without a block are
absent and cost their variance. The best division is a knapsack problem over the losses of blocks.

A block here is a frame of unit vectors that are all alike (every vertex sees the same cosines),
with one norm and one bias. Its loss per feature is

  E (x − ReLU(a (x + t) + b))²,  a = ‖W_i‖²,  t = Σ_j cos_j x_j over the other features,

where the law of t depends on the density and the frame alone. It is kept on a grid, as the
convolution of the others' laws; the integral over x is done in closed form. The sum of the best
division is a loss that some model has: the least loss of the m × n model is at most that, and a
training that ends above it has not found its optimum.

Paper: section "The Geometry of Superposition", whose figure shows the frames that have a name. The
two cyclic codes are the best of those tried, up to 19 vectors in 6 dimensions: where the figure
shows a continuum, polytopes of more and more dimensions take over.
"""

import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import brentq, minimize

from toy_superposition.geometry.components import IDEALS

Column = Float[np.ndarray, "density"]

STEP = 2.0**-9  # of the grid of t
# Smooth functions of t are wrong by at most a sixth of the square of the step for every other
# feature, times half the second derivative, 2 a²: below 1e-5 per feature for all frames here.


def cyclic(n: int, *turns: int) -> Float[np.ndarray, "dimension vertex"]:
  """Returns n unit vectors with a plane per number of turns: vertex k is turned by k of n parts of
  so many full turns there."""
  angle = 2 * np.pi * np.arange(n) / n
  rows = [f(turn * angle) for turn in turns for f in (np.cos, np.sin)]
  return np.array(rows) / len(turns) ** 0.5


NAMED = (
  *("dedicated", "digon", "triangle", "tetrahedron", "4-simplex", "5-simplex"),
  *("pentagon", "hexagon", "heptagon", "square antiprism"),
)
FRAMES: dict[str, Float[np.ndarray, "dimension vertex"]] = {
  **{name: IDEALS[name] for name in NAMED},
  "13 in 4": cyclic(13, 1, 5),
  "19 in 6": cyclic(19, 1, 4, 6),
}
SEARCHED = tuple(np.geomspace(1.02, 10, 60).tolist())  # 1/(1 − S) between which changes are sought


class Block(NamedTuple):
  """The best norm and bias of a frame at one density."""

  loss: float  # per feature
  square_norm: float  # a = ‖W_i‖²
  bias: float


class Division(NamedTuple):
  """The best use of the hidden dimensions at every density."""

  saving: Float[np.ndarray, "density frame"]  # per dimension, in variances of a feature
  total_saving: Column  # of the best division, likewise
  blocks: Int[np.ndarray, "density frame"]  # how many of every frame
  loss: Column  # of all features, absent ones included: no optimum is above it
  dimensions_per_feature: Column  # D* = m / ‖W‖_F²


def variance(density: float) -> float:
  """Returns Var x = p/3 − p²/4, the loss of a feature that is absent."""
  return density / 3 - density**2 / 4


def size(frame: str) -> tuple[int, int]:
  """Returns (features, dimensions) of a frame."""
  rank, n = FRAMES[frame].shape
  return n, rank


@functools.cache
def cosines(frame: str) -> tuple[float, ...]:
  """Returns the cosines of a vertex with all others, which are the same for every vertex."""
  gram = FRAMES[frame].T @ FRAMES[frame]
  others = np.sort(gram - 2 * np.eye(len(gram)), axis=1)[:, 1:]  # without its own
  assert np.allclose(others, others[0])
  return tuple(others[0].tolist())


def law_of_others(
  frame: str, density: float
) -> tuple[Float[np.ndarray, "point"], Float[np.ndarray, "point"]]:
  """Returns (values of t, their probabilities) on the grid."""
  law, first = np.ones(1), 0
  for cosine in cosines(frame):
    if abs(cosine) < 1e-9:
      continue
    own, start = _law(cosine, density)
    law, first = np.convolve(law, own), first + start
  return (first + np.arange(len(law))) * STEP, law


def _law(cosine: float, density: float) -> tuple[Float[np.ndarray, "point"], int]:
  """Returns the law of cos · x on the grid, with its mass and mean, and where it starts.

  A uniform law is divided among the two nearest points of the grid in proportion to their
  distances: the weight of a point is the integral of the hat function around it.
  """
  end = cosine / STEP
  low, high = sorted((0.0, end))
  points = np.arange(np.floor(low), np.ceil(high) + 1)

  def integral_of_hats(z: np.ndarray) -> np.ndarray:
    z = np.clip(z, -1, 1)
    return 0.5 + z - 0.5 * z * np.abs(z)

  weights = integral_of_hats(high - points) - integral_of_hats(low - points)
  law = density * weights / (high - low)
  law[points == 0] += 1 - density
  return law, int(points[0])


def feature_loss(
  t: Float[np.ndarray, "point"],
  law: Float[np.ndarray, "point"],
  density: float,
  square_norm: float,
  bias: float,
) -> float:
  """Returns E (x − ReLU(a (x + t) + b))² of one feature."""
  a, c = square_norm, square_norm * t + bias
  kink = np.clip(-c / a, 0, 1)  # below it the output is 0
  k = 1 - a
  above = k**2 * (1 - kink**3) / 3 - k * c * (1 - kink**2) + c**2 * (1 - kink)
  each = (1 - density) * np.maximum(c, 0) ** 2 + density * (kink**3 / 3 + above)
  return float(law @ each)


@functools.lru_cache(maxsize=2**14)
def best_block(frame: str, density: float) -> Block:
  """Returns the best norm and bias of a frame."""
  t, law = law_of_others(frame, density)

  def loss(z: np.ndarray) -> float:
    return feature_loss(t, law, density, float(np.exp(z[0])), float(z[1]))

  best = minimize(loss, (0.0, 0.0), method="BFGS", options={"gtol": 1e-7})
  return Block(float(best.fun), float(np.exp(best.x[0])), float(best.x[1]))


def saving(frame: str, density: float) -> float:
  """Returns by how much a frame lowers the loss, over absent features, per hidden dimension."""
  n, m = size(frame)
  return n * (variance(density) - best_block(frame, density).loss) / m


class Transition(NamedTuple):
  """Where one frame gives way to another as features become sparser."""

  before: str
  after: str
  inverse: float  # 1/(1 − S) at which both save the same


@functools.cache
def curves() -> Float[np.ndarray, "searched frame"]:
  """Returns what every frame saves per dimension at SEARCHED densities, in variances."""
  return np.array([[saving(f, 1 / x) / variance(1 / x) for f in FRAMES] for x in SEARCHED])


@functools.cache
def transitions() -> tuple[Transition, ...]:
  """Returns the changes of the frame that saves most per dimension, between SEARCHED densities."""
  best = np.array(list(FRAMES))[curves().argmax(axis=1)].tolist()
  found = []
  for k, (one, other) in enumerate(itertools.pairwise(best)):
    if one != other:
      found.append(Transition(one, other, crossing(one, other, SEARCHED[k : k + 2])))
  return tuple(found)


def crossing(one: str, other: str, between: Sequence[float]) -> float:
  """Returns 1/(1 − S) at which two frames save the same, between two at which they do not."""
  return float(brentq(lambda x: saving(one, 1 / x) - saving(other, 1 / x), *between, xtol=1e-4))


def divide(densities: Sequence[float], *, n_features: int, n_hidden: int) -> Division:
  """Returns the best division of the hidden dimensions among FRAMES at every density.

  Features that are left over are absent. There have to be enough for any division.
  """
  assert all(n_features * size(f)[1] >= n_hidden * size(f)[0] for f in FRAMES)
  shape = (len(densities), len(FRAMES))
  saved, count = np.zeros(shape), np.zeros(shape, int)
  loss, dimensions = np.zeros((2, len(densities)))
  for i, p in enumerate(densities):
    blocks = {frame: best_block(frame, p) for frame in FRAMES}
    gains = [size(f)[0] * (variance(p) - blocks[f].loss) for f in FRAMES]
    count[i] = knapsack(gains, [size(f)[1] for f in FRAMES], n_hidden)
    saved[i] = [g / size(f)[1] / variance(p) for f, g in zip(FRAMES, gains, strict=True)]
    loss[i] = n_features * variance(p) - count[i] @ gains
    squares = [size(f)[0] * blocks[f].square_norm for f in FRAMES]
    dimensions[i] = n_hidden / (count[i] @ squares)
  unit = n_hidden * np.array([variance(p) for p in densities])
  total = n_features / n_hidden - loss / unit
  return Division(saved, total, count, loss, dimensions)


def knapsack(
  gains: Sequence[float], ranks: Sequence[int], n_hidden: int
) -> Int[np.ndarray, "frame"]:
  """Returns how many blocks of every kind fill `n_hidden` dimensions with the largest gain."""
  best = [(0.0, np.zeros(len(gains), int))]
  for m in range(1, n_hidden + 1):
    options = [(best[m - 1][0], best[m - 1][1])]
    for k, (gain, rank) in enumerate(zip(gains, ranks, strict=True)):
      if rank <= m:
        value, counts = best[m - rank]
        more = counts.copy()
        more[k] += 1
        options.append((value + gain, more))
    best.append(max(options, key=lambda option: option[0]))
  return best[n_hidden][1]
