"""The k largest of some numbers, for a k that is data.

`lax.top_k` needs a static k and sorts on CPU. The threshold above which k numbers lie is found by
bisection instead: an order of magnitude faster, and k may differ from model to model.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Scalar = Float[Array, ""]
_INFINITY = 0x7F800000  # bits of the float32 above all finite ones


def kth_largest(z: Float[Array, "..."], k: Scalar | float | int, axes: tuple[int, ...]) -> Array:
  """Returns the largest t such that at least k of the numbers are ≥ t; 0 if fewer are positive.

  The bits of numbers ≥ 0 are ordered as the numbers are, so 31 halvings find t exactly.

  Args:
    z: numbers ≥ 0.
    k: how many; a fraction is rounded up.
    axes: among which the numbers compete; they have length 1 in the result.
  """
  bits = lax.bitcast_convert_type(lax.stop_gradient(z), jnp.int32)
  shape = jnp.sum(bits, axis=axes, keepdims=True).shape
  low, high = jnp.zeros(shape, jnp.int32), jnp.full(shape, _INFINITY, jnp.int32)

  def halve(_, bounds):
    low, high = bounds
    middle = low + (high - low) // 2
    enough = jnp.sum((bits >= middle).astype(jnp.float32), axis=axes, keepdims=True) >= k
    return jnp.where(enough, middle, low), jnp.where(enough, high, middle)

  low, _ = lax.fori_loop(0, 31, halve, (low, high))
  return lax.bitcast_convert_type(low, jnp.float32)


def keep_largest(z: Float[Array, "..."], k: Scalar | float | int, axes: tuple[int, ...]) -> Array:
  """Returns z where it is among the k largest and positive, and 0 elsewhere.

  Equal numbers are kept together. The gradient passes through what is kept.
  """
  return jnp.where((z >= kth_largest(z, k, axes)) & (z > 0), z, 0)
