"""How many sets of objects a linear unit can select, and which codes lose nothing: exact numbers.

A set is selectable if some w and c have w·h + c > 0 on its objects alone.
"""

import functools
import itertools
import math

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linprog

Points = Float[np.ndarray, "object dimension"]

VALUES = 4  # colours, and shapes
OBJECTS = VALUES**2
SETS = 2**OBJECTS
CODES = ("objects", "attributes", "any_two", "any_three")  # of trained models
# Distance from a subspace, as a share of the points' size, up to which a point counts as in it.
# Trained codes meet their zero loss to about 1e-3 of it.
IN_SUBSPACE = 0.01
WEIGHT = 3  # largest integer weight that a threshold function of four bits needs (Muroga)


def fixed_codes() -> dict[str, Points]:
  """Returns Thorpe's codes of the 16 objects, shape fastest: a neuron per object, per colour and
  per shape, four bits; and both attributes as squares in a plane each."""
  one_hot = np.eye(VALUES)
  angle = 2 * np.pi * np.arange(VALUES) / VALUES
  square = np.stack([np.cos(angle), np.sin(angle)], axis=1)
  around = 2 * np.pi * np.arange(OBJECTS) / OBJECTS
  return {
    "local": np.eye(OBJECTS),
    "compositional": pairs(one_hot),
    "dense": cube(),
    "mixed": pairs(square),
    "ring": np.stack([np.cos(around), np.sin(around)], axis=1),
  }


def pairs(values: Float[np.ndarray, "value entry"]) -> Points:
  """Returns the code of all (colour, shape) as both codes side by side."""
  both = itertools.product(values, values)
  return np.array([np.concatenate(pair) for pair in both])


def cube() -> Points:
  """Returns the 16 corners of the four-dimensional cube."""
  return np.array(list(itertools.product((0.0, 1.0), repeat=4)))


def n_selectable(points: Points, tolerance: float = IN_SUBSPACE) -> int:
  """Returns how many sets of points are selectable: the regions into which their hyperplanes divide
  the space of (w, c).

  They are as many as sets without a broken circuit (Zaslavsky 1975; Whitney 1932), counted here
  from the last point to the first: a set ends where a point lies in the span of those chosen.
  """
  centred = points - points.mean(axis=0)
  size = np.sqrt((centred**2).sum(axis=1).mean()) or 1.0
  vectors = np.column_stack([centred / size, np.ones(len(points))])
  if np.linalg.matrix_rank(vectors, tol=tolerance) == len(points):
    return 2 ** len(points)

  def count(left: np.ndarray, at: int) -> int:
    """Returns the number of continuations, given what of each point is outside of the span."""
    total = 0
    while at >= 0:
      norm = math.sqrt(left[at] @ left[at])
      if norm <= tolerance:
        return total
      unit = left[at] / norm
      rest = left[:at]
      total += count(rest - (rest @ unit)[:, None] * unit, at - 1)
      at -= 1
    return total + 1

  return count(vectors, len(points) - 1)


def cover(n_points: int, n_dimensions: int) -> int:
  """Returns Cover's bound 2 Σ_{k ≤ m} C(n − 1, k): what points in general position reach."""
  return 2 * sum(math.comb(n_points - 1, k) for k in range(n_dimensions + 1))


def is_selectable(points: Points, members: np.ndarray) -> bool:
  """Returns whether a set of points is selectable, by a linear programme."""
  signs = np.where(members, 1.0, -1.0)[:, None]
  homogeneous = np.column_stack([points, np.ones(len(points))])
  found = linprog(
    np.zeros(homogeneous.shape[1]),
    A_ub=-signs * homogeneous,
    b_ub=-np.ones(len(points)),
    bounds=(None, None),
    method="highs",
  )
  return found.status == 0


def sampled(points: Points, n_sets: int, seed: int = 0) -> tuple[int, int]:
  """Returns how many of how many sets are selectable: of random ones, or from SETS on of all.

  A set and its complement are selectable together; of all sets, one of each two is tried.
  """
  n = len(points)
  if n_sets >= 2**n:
    numbers, both = np.arange(2 ** (n - 1)), 2
  else:
    numbers, both = np.random.default_rng(seed).integers(2**n, size=n_sets), 1
  members = (numbers[:, None] >> np.arange(n)) & 1 == 1
  return both * sum(is_selectable(points, one) for one in members), both * len(numbers)


@functools.cache
def threshold_sets() -> Int[np.ndarray, "set corner"]:
  """Returns all sets of corners of the four-dimensional cube that a linear unit selects, by trying
  all integer weights that are ever needed."""
  weights = np.array(list(itertools.product(range(-WEIGHT, WEIGHT + 1), repeat=4)))
  sums = weights @ cube().T.astype(int)
  bounds = np.arange(-4 * WEIGHT, 4 * WEIGHT + 2) - 0.5
  chosen = (sums[:, None, :] > bounds[None, :, None]).reshape(-1, OBJECTS)
  return np.unique(chosen, axis=0).astype(int)


def random_attribute() -> float:
  """Returns the probability that four given objects are selectable if the 16 objects lie on the
  corners of the cube at random."""
  four = threshold_sets().sum(axis=1) == VALUES
  return float(four.sum() / math.comb(OBJECTS, VALUES))


def loses_nothing(code: str, n: int, m: int) -> bool:
  """Returns whether some tied ReLU model of n binary features has zero loss in m dimensions.

  One active feature: a circle with l² = 1/(1 − cos 2π/n), b = 1 − l² does for every n ≥ 3, and a
  line for two. A feature of each of two attributes: the output of a colour is 1 whatever the shape,
  so W_c · W_s is one number for all pairs, and the differences of colours are orthogonal to those
  of shapes: both attributes need their own circle, or line for two values. Every subset of k ≥ 2:
  W_i · W_j is one number for all pairs, so the columns are a simplex, of n − 1 dimensions.
  """
  if code == "objects":
    return m >= min(2, n - 1)
  if code == "attributes":
    return m >= 2 * min(2, n // 2 - 1)
  return m >= n - 1


def circle(n: int) -> tuple[Float[np.ndarray, "2 feature"], Float[np.ndarray, "feature"]]:
  """Returns W and b of n ≥ 3 features on a circle, of which one is active: the loss is 0."""
  square = 1 / (1 - np.cos(2 * np.pi / n))
  angle = 2 * np.pi * np.arange(n) / n
  return square**0.5 * np.stack([np.cos(angle), np.sin(angle)]), np.full(n, 1 - square)


def closed_form_loss(code: str, n: int) -> float:
  """Returns the loss of the circle of n objects, or of n/2 values of each of two attributes on a
  circle each, summed over features; it is 0 for n ≥ 3, and n/2 ≥ 3."""
  if code == "objects":
    (W, b), x = circle(n), np.eye(n)
  else:
    one, bias = circle(n // 2)
    W, b = np.kron(np.eye(2), one), np.tile(bias, 2)
    x = pairs(np.eye(n // 2)).T
  return float(((x - np.maximum(W.T @ (W @ x) + b[:, None], 0)) ** 2).sum(axis=0).mean())


def total_variance(n: int, k: int) -> float:
  """Returns Σ Var x_i of binary features that are active with probability k/n."""
  return k * (1 - k / n)
