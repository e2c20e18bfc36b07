"""Feature distributions: a key and per-feature densities become a batch of inputs."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from toy_superposition.types import Key

Batch = Float[Array, "batch feature"]
Density = Float[Array, "feature"]


def sparse_uniform(key: Key, density: Density, batch_size: int) -> Batch:
  """Returns x_i = 0 with probability S = 1 − density_i, else uniform on [0, 1) (paper, §2).

  One draw u per feature is enough: given u < p, u / p is uniform on [0, 1) again. Density 0
  gives exactly 0, density 1 gives u itself. Values are multiples of 2⁻²³ / p.
  """
  u = jax.random.uniform(key, (batch_size, density.shape[0]), dtype=jnp.float32)
  p = jnp.broadcast_to(density, u.shape)
  return jnp.where(u < p, u / jnp.where(p > 0, p, 1), 0)


def sparse_signed_uniform(key: Key, density: Density, batch_size: int) -> Batch:
  """Returns x_i = 0 with probability 1 − density_i, else uniform on [−1, 1) (paper, absolute
  value task)."""
  u = jax.random.uniform(key, (batch_size, density.shape[0]), dtype=jnp.float32)
  p = jnp.broadcast_to(density, u.shape)
  return jnp.where(u < p, 2 * u / jnp.where(p > 0, p, 1) - 1, 0)


DISTRIBUTIONS: dict[str, Callable[[Key, Density, int], Batch]] = {
  "sparse_uniform": sparse_uniform,
  "sparse_signed_uniform": sparse_signed_uniform,
}
