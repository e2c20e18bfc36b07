"""The expected loss of the tied models on sparse uniform features, without sampling.

The paper writes the loss as a sum over the sets of active features (section "Mathematical
Understanding"). Each term is an integral over the unit cube of the active values. Here two
coordinates of each integral are done exactly and the others by Gauss–Legendre quadrature. Along
one coordinate the integrand is a quadratic on either side of the ReLU's kink; along a second one
that integral is a cubic between the places where the kink enters and leaves the cube. Choosing the
two coordinates with the largest coefficients leaves a smooth function of the others.

So the loss is a sum over the points of a table that does not depend on the model: an output, a set
of active features, and a node within a piece of the cube whose edges the model decides. One point
is a handful of scalar operations, and the sum is one loop (scalarize.py).
"""

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from toy_superposition import scalarize
from toy_superposition.models import AutoencoderParams

PerFeature = Float[Array, "feature"]
Scalar = Float[Array, ""]
MODELS = {"linear": False, "relu_output": True}  # model → whether its output has a ReLU
ARRAYS = 2  # over the points that are kept at once, for planning memory
MAX_FEATURES = 6  # half a million points
NODES = 6  # per coordinate beyond two
# The number of points is a multiple of LANES, and of BLOCK if larger, by points of weight 0.
LANES = 8  # what is left over of a vectorised loop runs one by one
BLOCK = 1024  # points that one float32 adds up; the blocks' sums are then added
# Two Gauss–Legendre nodes are exact up to cubics: on every piece of the second coordinate.
PIECE_NODES = (0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5)


class Point(NamedTuple):
  """One point of the quadrature: an output feature, a set of active features, and a place.

  The second coordinate's pieces are [left, right] with left = 0, the lower or the upper break, and
  right = the lower break, the upper one, or 1; the columns say which by 0 and 1. The first
  coordinate has no node: its integral is done in closed form.
  """

  output: Float[Array, "feature"]  # one-hot: whose error it is
  active: Float[Array, "feature"]  # 1 where a feature is active
  outer: Float[Array, "outer"]  # nodes of the coordinates beyond two
  y_left: Float[Array, "2"]  # of the lower and the upper break
  y_right: Float[Array, "3"]  # of the lower break, the upper break, and 1
  y_node: Scalar
  weight: Scalar


# (left, right) of the pieces as Point says.
_Y_PIECES = (((0, 0), (1, 0, 0)), ((1, 0), (0, 1, 0)), ((0, 1), (0, 0, 1)))
_Y_WHOLE = (((0, 0), (0, 0, 1)),)
_MIDDLE = (0.5,)


@functools.cache
def points(n_features: int, n_active: int | None = None) -> Float[np.ndarray, "point column"]:
  """Returns the quadrature's points, fields of Point side by side; `n_active` selects the sets of
  that size."""
  nodes, weights = np.polynomial.legendre.leggauss(NODES)
  n_outer = max(n_features - 2, 0)
  rows = []
  for active in itertools.product((0, 1), repeat=n_features):
    k = sum(active)
    if n_active is not None and k != n_active:
      continue
    y_pieces, y_nodes = (_Y_PIECES, PIECE_NODES) if k >= 2 else (_Y_WHOLE, _MIDDLE)
    inner = list(itertools.product(y_pieces, y_nodes))
    share = 1 / len(y_nodes)  # of a piece's length, for each of its nodes
    for which in itertools.product(range(NODES), repeat=max(k - 2, 0)):
      idle = [0.5] * (n_outer - len(which))
      outer = [*((nodes[i] + 1) / 2 for i in which), *idle]
      weight = share * np.prod([weights[i] / 2 for i in which])
      for one_hot, ((left, right), node) in itertools.product(np.eye(n_features), inner):
        rows.append([*one_hot, *active, *outer, *left, *right, node, weight])
  spare = [[*rows[0][:-1], 0.0]] * (-len(rows) % (LANES if len(rows) <= BLOCK else BLOCK))
  table = np.array(rows + spare, np.float32)
  table.setflags(write=False)  # all callers share it
  return table


def _point(row: Float[Array, "column"], n_features: int) -> Point:
  """Returns the fields of one row of `points`."""
  sizes = (n_features, n_features, max(n_features - 2, 0), 2, 3, 1, 1)
  starts = np.cumsum([0, *sizes])
  fields = [
    lax.slice(row, (int(start),), (int(start) + size,))
    for start, size in zip(starts, sizes, strict=False)
  ]
  return Point(*(f if i < 5 else f.reshape(()) for i, f in enumerate(fields)))


def _crossing(slope: Scalar, offset: Scalar) -> Scalar:
  """Returns where slope · x + offset is 0, moved into [0, 1].

  The integrand is continuous there, so the derivative of the place does not enter the gradient.
  """
  place = -offset / jnp.where(slope == 0, 1, slope)
  return lax.stop_gradient(jnp.clip(place, 0, 1))


def _largest_first(size: list[Scalar], *vectors: list[Scalar]) -> None:
  """Sorts by decreasing `size`, and the elements of `vectors` with it."""
  for front in range(len(size) - 1):
    for j in range(front + 1, len(size)):
      swap = size[j] > size[front]
      for v in (size, *vectors):
        v[front], v[j] = jnp.where(swap, v[j], v[front]), jnp.where(swap, v[front], v[j])


def _elements(v: Float[Array, "n"]) -> list[Scalar]:
  return [lax.index_in_dim(v, i, keepdims=False) for i in range(v.shape[0])]


def _along(target: Scalar, wanted: Scalar, gain: Scalar, offset: Scalar, *, relu: bool) -> Scalar:
  """Returns ∫ (target x + wanted − f(gain x + offset))² dx over [0, 1], f the ReLU or nothing."""
  kink = _crossing(gain, offset)
  integral = jnp.zeros((), jnp.float32)
  for left, right in ((0, kink), (kink, 1)):
    middle, length = (left + right) / 2, right - left
    output = gain * middle + offset
    on = (output > 0) | (not relu)
    error = target * middle + wanted - jnp.where(on, output, 0)
    slope = target - jnp.where(on, gain, 0)
    integral += length * (error**2 + (slope * length) ** 2 / 12)
  return integral


def _at_point(
  params: AutoencoderParams, density: PerFeature, importance: PerFeature, point: Point, relu: bool
) -> Scalar:
  """Returns what one point adds to the expected loss."""
  gains = _elements(((params.W @ point.output) @ params.W) * point.active)
  targets = _elements(point.output * point.active)
  # A silent feature comes after all active ones, whatever their gains.
  size = [
    jnp.where(active > 0, lax.stop_gradient(jnp.abs(gain)), -1)
    for active, gain in zip(_elements(point.active), gains, strict=True)
  ]
  _largest_first(size, gains, targets)
  zero = jnp.zeros((), jnp.float32)
  (gain_x, gain_y), (target_x, target_y) = ((*v, zero)[:2] for v in (gains, targets))

  offset, wanted = params.b @ point.output, zero
  for place, gain, target in zip(_elements(point.outer), gains[2:], targets[2:], strict=True):
    offset, wanted = offset + gain * place, wanted + target * place
  enters, leaves = _crossing(gain_y, offset), _crossing(gain_y, offset + gain_x)
  low, high = jnp.minimum(enters, leaves), jnp.maximum(enters, leaves)
  (low_left, high_left), (low_right, high_right, one) = map(
    _elements, (point.y_left, point.y_right)
  )
  left = low_left * low + high_left * high
  length_y = low_right * low + high_right * high + one - left
  y = left + length_y * point.y_node

  offset, wanted = offset + gain_y * y, wanted + target_y * y
  integral = _along(target_x, wanted, gain_x, offset, relu=relu)
  probability = jnp.prod(jnp.where(point.active > 0, density, 1 - density), axis=0)
  weight = probability * (importance @ point.output) * point.weight
  return weight * length_y * integral


def _sum(function, params, density, importance, rows: np.ndarray):
  """Returns `function` of (params, density, importance, point) summed over the rows."""
  n = density.shape[0]

  def at_row(params, density, importance, row):
    return function(params, density, importance, _point(row, n))

  shape = (-1, BLOCK) if len(rows) > BLOCK else (-1,)
  columns = [jnp.asarray(column.reshape(shape)) for column in rows.T]
  return scalarize.total(at_row, (params, density, importance), columns)


def _check(n_features: int) -> None:
  if n_features > MAX_FEATURES:
    raise ValueError(
      f"expected loss: {n_features} features; at most {MAX_FEATURES} can be enumerated"
    )


def working_bytes(n_features: int) -> int:
  """Returns the bytes that one model's expected loss and gradient are planned to take: XLA computes
  what does not depend on the parameters ahead, for all points."""
  return 4 * ARRAYS * len(points(n_features))


def k_sparse_feature_loss(
  params: AutoencoderParams,
  density: PerFeature,
  importance: PerFeature,
  k: int | None,
  *,
  relu: bool = True,
) -> PerFeature:
  """Returns what inputs with exactly k active features add to each feature's expected loss.

  For equal densities this is p^k S^(n−k) L_k of the paper, feature by feature; the paper prints
  L_0 without the importance, which belongs there. None for k adds all of them up.

  Raises:
    ValueError: more than MAX_FEATURES features, for which the cost grows beyond use.
  """
  n = density.shape[0]
  _check(n)

  def of_feature(params, density, importance, point: Point):
    return point.output * _at_point(params, density, importance, point, relu)

  return _sum(of_feature, params, density, importance, points(n, k))


def expected_feature_loss(
  params: AutoencoderParams, density: PerFeature, importance: PerFeature, *, relu: bool = True
) -> PerFeature:
  """Returns E[I_i (x_i − x′_i)²] of each feature i for sparse uniform features.

  `relu` chooses x′ = ReLU(WᵀW x + b) over x′ = WᵀW x + b. Exact for up to two features; with three
  the error is below 1e-5 of the loss (tests/theory_test.py).

  Raises:
    ValueError: more than MAX_FEATURES features, for which the cost grows beyond use.
  """
  return k_sparse_feature_loss(params, density, importance, None, relu=relu)


def value_and_gradient(
  params: AutoencoderParams, density: PerFeature, importance: PerFeature, *, relu: bool = True
) -> tuple[Scalar, AutoencoderParams]:
  """Returns the expected loss, summed over features, and its gradient, in one pass.

  Raises:
    ValueError: more than MAX_FEATURES features, for which the cost grows beyond use.
  """
  n = density.shape[0]
  _check(n)

  def both(params, density, importance, point: Point):
    return jax.value_and_grad(_at_point)(params, density, importance, point, relu)

  return _sum(both, params, density, importance, points(n))
