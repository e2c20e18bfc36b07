"""The expected loss of the tied models on sparse uniform features, without sampling.

The paper writes the loss as a sum over the sets of active features (section "Mathematical
Understanding"). Each term is an integral over the unit cube of the active values. Here one
coordinate of each integral is done exactly and the others by Gauss–Legendre quadrature: along
one coordinate the integrand is a quadratic on either side of the ReLU's kink, and choosing the
coordinate with the largest coefficient leaves a smooth function of the others, so that few nodes
reach float32 round-off.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from toy_superposition.models import TiedParams

PerFeature = Float[Array, "feature"]
MODELS = ("linear", "relu_output")
MAX_FEATURES = 6  # 2⁶ subsets, at most NODES⁵ points each
NODES = 6  # per coordinate; 4 and 16 agree to 1e-6 (tests/theory_test.py)
# Two Gauss–Legendre nodes are exact for the quadratic on either side of the kink.
PIECE_NODES, PIECE_WEIGHTS = (0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5), (0.5, 0.5)


def _outer_grid(n_coordinates: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns (point, coordinate) nodes on the unit cube and their weights."""
  nodes, weights = np.polynomial.legendre.leggauss(NODES)
  points = list(itertools.product((nodes + 1) / 2, repeat=n_coordinates))
  products = [np.prod(w) for w in itertools.product(weights / 2, repeat=n_coordinates)]
  shape = (NODES**n_coordinates, n_coordinates)
  return np.array(points, np.float32).reshape(shape), np.array(products, np.float32)


def _cube_mean(gain: Array, target: Array, bias: Array, relu: bool) -> Array:
  """Returns the mean over x in the unit cube of (target · x − f(gain · x + bias))².

  `gain` and `target` are (…, coordinate), `bias` is (…); f is ReLU or the identity.
  """
  f = jax.nn.relu if relu else lambda z: z
  size = lax.stop_gradient(jnp.abs(gain))
  n_coordinates = gain.shape[-1]
  steepest = jax.nn.one_hot(jnp.argmax(size, axis=-1), n_coordinates, dtype=bool)

  def split(v):  # → the steepest coordinate, and the others with the first in its place
    chosen = jnp.sum(jnp.where(steepest, v, 0), axis=-1)
    return chosen[..., None], jnp.where(steepest[..., 1:], v[..., :1], v[..., 1:])

  points, weights = _outer_grid(n_coordinates - 1)
  (inner_gain, outer_gain), (inner_target, outer_target) = split(gain), split(target)
  offset = jnp.einsum("...c,pc->...p", outer_gain, points) + bias[..., None]
  wanted = jnp.einsum("...c,pc->...p", outer_target, points)
  # The integrand is continuous at the kink, so its derivative there does not enter the gradient.
  slope = jnp.where(inner_gain == 0, 1, inner_gain)
  kink = lax.stop_gradient(jnp.clip(-offset / slope, 0, 1))
  total = jnp.zeros_like(offset)
  for low, high in ((jnp.zeros_like(kink), kink), (kink, jnp.ones_like(kink))):
    for node, weight in zip(PIECE_NODES, PIECE_WEIGHTS, strict=True):
      x = low + (high - low) * node
      error = inner_target * x + wanted - f(inner_gain * x + offset)
      total = total + weight * (high - low) * error**2
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


def expected_feature_loss(
  params: TiedParams, density: PerFeature, importance: PerFeature, *, relu: bool = True
) -> PerFeature:
  """Returns E[I_i (x_i − x′_i)²] of each feature i for sparse uniform features.

  `relu` chooses x′ = ReLU(WᵀW x + b) over x′ = WᵀW x + b. Error below 1e-6 of the loss.

  Raises:
    ValueError: more than MAX_FEATURES features, for which the cost grows beyond use.
  """
  n = density.shape[0]
  if n > MAX_FEATURES:
    raise ValueError(f"expected loss: {n} features; at most {MAX_FEATURES} can be enumerated")
  terms = [k_sparse_feature_loss(params, density, importance, k, relu=relu) for k in range(n + 1)]
  return jnp.sum(jnp.stack(terms), axis=0)
