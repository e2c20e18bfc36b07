"""The expected loss of the tied models on sparse uniform features, without sampling.

The paper writes the loss as a sum over the sets of active features (section "Mathematical
Understanding"). Each term is an integral over the unit cube of the active values. Here two
coordinates of each integral are done exactly and the others by Gauss–Legendre quadrature. Along
one coordinate the integrand is a quadratic on either side of the ReLU's kink; along a second one
that integral is a cubic between the places where the kink enters and leaves the cube. Choosing the
two coordinates with the largest coefficients leaves a smooth function of the others.
"""

import itertools
import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from toy_superposition.models import TiedParams

PerFeature = Float[Array, "feature"]
MODELS = {"linear": False, "relu_output": True}  # model → whether its output has a ReLU
MAX_FEATURES = 6  # 2⁶ subsets, at most 6 · 4 · NODES⁴ points each
NODES = 6  # per coordinate beyond two
ARRAYS = 40  # that the quadrature keeps at once per point of its grid, for planning memory
# Two Gauss–Legendre nodes are exact up to cubics: on every piece of the two inner coordinates.
PIECE_NODES = (0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5)


def _outer_grid(n_coordinates: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns (point, coordinate) nodes on the unit cube and their weights."""
  nodes, weights = np.polynomial.legendre.leggauss(NODES)
  points = list(itertools.product((nodes + 1) / 2, repeat=n_coordinates))
  products = [np.prod(w) for w in itertools.product(weights / 2, repeat=n_coordinates)]
  shape = (NODES**n_coordinates, n_coordinates)
  return np.array(points, np.float32).reshape(shape), np.array(products, np.float32)


def _pull(size: Array, *vectors: Array) -> list[tuple[Array, Array]]:
  """Returns each vector's component where `size` is largest, and the vector without it."""
  largest = jax.nn.one_hot(jnp.argmax(size, axis=-1), size.shape[-1], dtype=bool)
  pulled = []
  for v in vectors:  # the first component takes the place of the one pulled
    rest = jnp.where(largest[..., 1:], v[..., :1], v[..., 1:])
    pulled.append((jnp.sum(jnp.where(largest, v, 0), axis=-1), rest))
  return pulled


def _crossing(slope: Array, offset: Array) -> Array:
  """Returns where slope · x + offset is 0, moved into [0, 1].

  The integrand is continuous there, so the derivative of the place does not enter the gradient.
  """
  place = -offset / jnp.where(slope == 0, 1, slope)
  return lax.stop_gradient(jnp.clip(place, 0, 1))


def _pieces(*breaks: Array) -> Iterator[tuple[Array, Array]]:
  """Yields nodes on [0, 1] between the breaks, with their weights."""
  edges = [jnp.zeros_like(breaks[0]), *breaks, jnp.ones_like(breaks[0])]
  for low, high in itertools.pairwise(edges):
    for node in PIECE_NODES:
      yield low + (high - low) * node, (high - low) / len(PIECE_NODES)


def _cube_mean(gain: Array, target: Array, bias: Array, relu: bool) -> Array:
  """Returns the mean over x in the unit cube of (target · x − f(gain · x + bias))².

  `gain` and `target` are (…, coordinate), `bias` is (…); f is ReLU or the identity.
  """
  f = jax.nn.relu if relu else lambda z: z
  size = lax.stop_gradient(jnp.abs(gain))
  (_, size), (gain_x, gain), (target_x, target) = _pull(size, size, gain, target)
  gain_y = target_y = jnp.zeros_like(gain_x)
  two = gain.shape[-1] > 0  # whether there is a second coordinate
  if two:
    (gain_y, gain), (target_y, target) = _pull(size, gain, target)

  points, weights = _outer_grid(gain.shape[-1])
  offset = jnp.einsum("...c,pc->...p", gain, points) + bias[..., None]
  wanted = jnp.einsum("...c,pc->...p", target, points)
  gain_x, gain_y = gain_x[..., None], gain_y[..., None]
  target_x, target_y = target_x[..., None], target_y[..., None]
  enters, leaves = _crossing(gain_y, offset), _crossing(gain_y, offset + gain_x)
  breaks = jnp.minimum(enters, leaves), jnp.maximum(enters, leaves)
  total = jnp.zeros_like(offset)
  for y, weight_y in _pieces(*breaks) if two else [(0.0, 1.0)]:
    offset_y, wanted_y = offset + gain_y * y, wanted + target_y * y
    for x, weight_x in _pieces(_crossing(gain_x, offset_y)):
      error = target_x * x + wanted_y - f(gain_x * x + offset_y)
      total = total + weight_y * weight_x * error**2
  return total @ weights


def k_sparse_feature_loss(
  params: TiedParams, density: PerFeature, importance: PerFeature, k: int, *, relu: bool = True
) -> PerFeature:
  """Returns what inputs with exactly k active features add to each feature's expected loss.

  For equal densities this is p^k S^(n−k) L_k of the paper, feature by feature; the paper prints
  L_0 without the importance, which belongs there.
  """
  n = density.shape[0]
  members = np.array(list(itertools.combinations(range(n), k)), np.int32).reshape(
    math.comb(n, k), k
  )
  active = (members[:, :, None] == np.arange(n)).any(axis=1)  # (subset, feature)
  probability = jnp.prod(jnp.where(active, density[None], 1 - density[None]), axis=1)
  gain = (params.W.T @ params.W)[:, members]  # (output, subset, coordinate)
  target = (members[None] == np.arange(n)[:, None, None]).astype(np.float32)
  bias = jnp.broadcast_to(params.b[:, None], gain.shape[:-1])
  if k == 0:
    error = jax.nn.relu(bias) ** 2 if relu else bias**2
  else:
    error = _cube_mean(gain, jnp.asarray(target), bias, relu)
  return importance * (error @ probability)


def working_bytes(n_features: int) -> int:
  """Returns the bytes that the expected loss of one model and its gradient are planned to take."""
  points = sum(math.comb(n_features, k) * NODES ** max(k - 2, 0) for k in range(n_features + 1))
  return 4 * ARRAYS * n_features * points


def expected_feature_loss(
  params: TiedParams, density: PerFeature, importance: PerFeature, *, relu: bool = True
) -> PerFeature:
  """Returns E[I_i (x_i − x′_i)²] of each feature i for sparse uniform features.

  `relu` chooses x′ = ReLU(WᵀW x + b) over x′ = WᵀW x + b. Exact for up to two features; with three
  the error is below 1e-5 of the loss (tests/theory_test.py).

  Raises:
    ValueError: more than MAX_FEATURES features, for which the cost grows beyond use.
  """
  n = density.shape[0]
  if n > MAX_FEATURES:
    raise ValueError(f"expected loss: {n} features; at most {MAX_FEATURES} can be enumerated")
  terms = [k_sparse_feature_loss(params, density, importance, k, relu=relu) for k in range(n + 1)]
  return jnp.sum(jnp.stack(terms), axis=0)
