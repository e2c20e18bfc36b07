"""Feature distributions: an example's uniform numbers and densities become its features.

A distribution is arithmetic on ONE example: how many uniform numbers it needs, and what it makes
of them. Where the numbers come from, and how many examples there are, is decided elsewhere.
Density i is always the probability that feature i is active.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

Draws = Float[Array, "draw"]
Feature = Float[Array, "feature"]


class Distribution(NamedTuple):
  """Pure functions of one example; `set_size` matters to distributions over sets only."""

  n_draws: Callable[[int, int], int]  # n_features, set_size → uniform numbers per example
  features: Callable[[Draws, Feature, int], Feature]  # draws, density, set_size → x
  in_sets: bool = False  # whether features come in sets of set_size neighbours
  exclusive: bool = False  # whether a set's densities must not add up to more than 1


def _inverse(density: Feature) -> Feature:
  """Returns 1 / density, and 1 where nothing is active."""
  return 1 / jnp.where(density > 0, density, 1)


def sparse_uniform(u: Draws, density: Feature, set_size: int) -> Feature:
  """Returns x_i = 0 with probability S = 1 − density_i, else uniform on [0, 1) (paper, §2).

  One draw u per feature is enough: given u < p, u / p is uniform on [0, 1) again. Density 0
  gives exactly 0, density 1 gives u itself. Values are multiples of 2⁻²³ / p.
  """
  del set_size
  return jnp.where(u < density, u * _inverse(density), 0)


def sparse_signed_uniform(u: Draws, density: Feature, set_size: int) -> Feature:
  """Returns x_i = 0 with probability 1 − density_i, else uniform on [−1, 1) (paper, absolute
  value task)."""
  del set_size
  return jnp.where(u < density, 2 * u * _inverse(density) - 1, 0)


def correlated_sets(u: Draws, density: Feature, set_size: int) -> Feature:
  """Returns x whose sets are active or silent as a whole, with independent values on [0, 1)
  (paper, "Correlated and anticorrelated features").

  One draw decides for all members of a set; where densities differ within it, the members with
  the larger density are active whenever the others are.
  """
  n_sets = density.shape[0] // set_size
  decides = jnp.broadcast_to(u[:n_sets, None], (n_sets, set_size)).reshape(-1)
  return jnp.where(decides < density, u[n_sets:], 0)


def anticorrelated_sets(u: Draws, density: Feature, set_size: int) -> Feature:
  """Returns x with at most one active feature in each set, its value uniform on [0, 1) (paper,
  "Correlated and anticorrelated features").

  Feature i is active with probability density_i, so a set with the sum of its members'; the
  paper's "probability of a set" is that sum.
  """
  n_sets = density.shape[0] // set_size
  upper = jnp.cumsum(density.reshape(n_sets, set_size), axis=1)
  lower = jnp.concatenate([jnp.zeros((n_sets, 1), jnp.float32), upper[:, :-1]], axis=1)
  decides = jnp.broadcast_to(u[:n_sets, None], upper.shape)
  value = jnp.broadcast_to(u[n_sets:, None], upper.shape)
  return jnp.where((lower <= decides) & (decides < upper), value, 0).reshape(-1)


def one_each(n_features: int, set_size: int) -> int:
  """Returns one draw per feature."""
  del set_size
  return n_features


DISTRIBUTIONS: dict[str, Distribution] = {
  "sparse_uniform": Distribution(one_each, sparse_uniform),
  "sparse_signed_uniform": Distribution(one_each, sparse_signed_uniform),
  "correlated_sets": Distribution(lambda n, k: n // k + n, correlated_sets, in_sets=True),
  "anticorrelated_sets": Distribution(
    lambda n, k: 2 * (n // k), anticorrelated_sets, in_sets=True, exclusive=True
  ),
}
