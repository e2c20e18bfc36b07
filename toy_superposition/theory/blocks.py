"""What small polytopes save per hidden dimension, at every density, exactly and without training.

Features in orthogonal subspaces do not interact. So m dimensions may be divided among small blocks,
each of some features in a subspace of its own, and the losses add up (division.py); features
without a block are absent and cost their variance.

A block here is a frame of unit vectors that are all alike (every vertex sees the same cosines),
with one norm and one bias. Its loss per feature is

  E (x − ReLU(a (x + t) + b))²,  a = ‖W_i‖²,  t = Σ_j cos_j x_j over the other features,

where the law of t depends on the density and the frame alone. It is kept on a grid, as the
convolution of the others' laws; the integral over x is done in closed form. No sample is drawn, for
blocks of any size, so the only error is the grid's. The square antiprism has a shape of its own:
its height, which is optimised with norm and bias. The frame of height 1/√3 is tight, with D = 3/8,
but saves up to .7 % less.

Every loss here is one that some model has, so the optimum is at most that. It is not a bound from
below: no list of frames is complete. "16 in 5" is the half 5-cube, the best of the larger frames
tried (cyclic codes up to 19 in 6, eigenspaces of strongly regular graphs, products of simplices).
At the dense end two features of unequal norms share a dimension better than a digon does; the
simplices save more than either.

Paper: section "The Geometry of Superposition", whose figure shows the frames that have a name.
"""

import functools
import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from toy_superposition.geometry.components import IDEALS, square_antiprism

Frame = Float[np.ndarray, "dimension vertex"]

STEP = 2.0**-9  # of the grid of t
# Smooth functions of t are wrong by at most a sixth of the square of the step for every other
# feature, times half the second derivative, 2 a²: below 1e-5 per feature for all frames here.


def half_cube(rank: int) -> Frame:
  """Returns every other corner of a cube, of norm 1."""
  corners = itertools.product((-1.0, 1.0), repeat=rank)
  return np.array([c for c in corners if np.prod(c) > 0]).T / rank**0.5


NAMED = (
  *("dedicated", "digon", "triangle", "tetrahedron", "4-simplex", "5-simplex"),
  *("pentagon", "hexagon", "heptagon", "square antiprism"),
)
FRAMES: dict[str, Frame] = {**{name: IDEALS[name] for name in NAMED}, "16 in 5": half_cube(5)}
ANTIPRISM = "square antiprism"
HEIGHTS = (0.53, 0.555, 0.58)  # of the antiprism: a parabola through their losses has the best


STARTS = ((0.0, 0.0), (0.3, -0.3))  # (log of a, b) of the descents


class Block(NamedTuple):
  """The best norm and bias of a frame at one density."""

  loss: float  # per feature
  square_norm: float  # a = ‖W_i‖²
  bias: float


def variance(density: float) -> float:
  """Returns Var x = p/3 − p²/4, the loss of a feature that is absent."""
  return density / 3 - density**2 / 4


def size(frame: str) -> tuple[int, int]:
  """Returns (features, dimensions) of a frame."""
  rank, n = FRAMES[frame].shape
  return n, rank


def cosines(frame: Frame) -> list[float]:
  """Returns the cosines of a vertex with all others, which are the same for every vertex."""
  gram = frame.T @ frame
  others = np.sort(gram - 2 * np.eye(len(gram)), axis=1)[:, 1:]  # without its own
  assert np.allclose(others, others[0])
  return others[0].tolist()


def law_of_others(
  frame: Frame, density: float, step: float = STEP
) -> tuple[Float[np.ndarray, "point"], Float[np.ndarray, "point"]]:
  """Returns (values of t, their probabilities) on the grid."""
  law, first = np.ones(1), 0
  for cosine in cosines(frame):
    if abs(cosine) < 1e-9:
      continue
    own, start = _law(cosine, density, step)
    law, first = np.convolve(law, own), first + start
  return (first + np.arange(len(law))) * step, law


def _law(cosine: float, density: float, step: float) -> tuple[Float[np.ndarray, "point"], int]:
  """Returns the law of cos · x on the grid, with its mass and mean, and where it starts.

  A uniform law is divided among the two nearest points of the grid in proportion to their
  distances: the weight of a point is the integral of the hat function around it.
  """
  end = cosine / step
  low, high = sorted((0.0, end))
  points = np.arange(np.floor(low), np.ceil(high) + 1)
  weights = _integral_of_hat(high - points) - _integral_of_hat(low - points)
  law = density * weights / (high - low)
  law[points == 0] += 1 - density
  return law, int(points[0])


def _integral_of_hat(z: np.ndarray) -> np.ndarray:
  """Returns the integral of 1 − |u| from −1 to z, within −1 and 1."""
  z = np.clip(z, -1, 1)
  return 0.5 + z - 0.5 * z * np.abs(z)


def feature_loss(
  t: Float[np.ndarray, "point"],
  law: Float[np.ndarray, "point"],
  density: float,
  square_norm: float,
  bias: float,
) -> float:
  """Returns E (x − ReLU(a (x + t) + b))² of one feature."""
  return _loss_and_gradient(t, law, density, square_norm, bias)[0]


def _loss_and_gradient(
  t: np.ndarray, law: np.ndarray, density: float, a: float, b: float
) -> tuple[float, np.ndarray]:
  """Returns the loss of one feature and its derivatives by a and b."""
  c = a * t + b
  kink = np.clip(-c / a, 0, 1)  # below it the output is 0, above it x − output = k x − c
  k = 1 - a
  squares, cubes = 1 - kink**2, 1 - kink**3
  silent = np.maximum(c, 0)  # the output where x = 0
  above = k**2 * cubes / 3 - k * c * squares + c**2 * (1 - kink)
  loss = law @ ((1 - density) * silent**2 + density * (kink**3 / 3 + above))
  of_output = k * squares / 2 - c * (1 - kink)  # integral of x − output over x
  of_product = k * cubes / 3 - c * squares / 2  # and of x times it
  by_b = 2 * ((1 - density) * silent - density * of_output)
  by_a = t * by_b - 2 * density * of_product
  return float(loss), np.array([law @ by_a, law @ by_b])


@functools.cache
def best_block(frame: str, density: float, step: float = STEP) -> Block:
  """Returns the best norm and bias of a frame, and of the antiprism the best height."""
  best = _best_of(FRAMES[frame], density, step, STARTS)
  if frame != ANTIPRISM:
    return best
  near = ((float(np.log(best.square_norm)), best.bias),)

  def at(height: float) -> Block:
    return _best_of(square_antiprism(float(height)), density, step, near)

  tried = [at(height) for height in HEIGHTS]
  curvature, slope, _ = np.polyfit(np.array(HEIGHTS), [one.loss for one in tried], 2)
  lowest = float(np.clip(-slope / (2 * curvature), HEIGHTS[0], HEIGHTS[-1]))
  return min(best, *tried, at(lowest))


def _best_of(
  frame: Frame, density: float, step: float, starts: tuple[tuple[float, float], ...]
) -> Block:
  """Returns the best norm and bias of given directions, from starts (log of a, b)."""
  from scipy.optimize import minimize  # takes a fifth of a second to import

  others = (*law_of_others(frame, density, step), density)
  options = {"gtol": 1e-8}
  found = [
    minimize(_of_logarithm, start, others, jac=True, method="BFGS", options=options)
    for start in starts
  ]
  best = min(found, key=lambda one: float(one.fun))
  return Block(float(best.fun), float(np.exp(best.x[0])), float(best.x[1]))


def _of_logarithm(
  z: np.ndarray, t: np.ndarray, law: np.ndarray, density: float
) -> tuple[float, np.ndarray]:
  """Returns the loss of a feature at z = (log a, b), and its derivatives by these."""
  a = float(np.exp(z[0]))
  loss, (by_a, by_b) = _loss_and_gradient(t, law, density, a, float(z[1]))
  return loss, np.array([a * by_a, by_b])


def saving(frame: str, density: float, step: float = STEP) -> float:
  """Returns by how much a frame lowers the loss, over absent features, per hidden dimension, in
  variances of a feature."""
  n, m = size(frame)
  return n * (1 - best_block(frame, density, step).loss / variance(density)) / m
