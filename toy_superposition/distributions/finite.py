"""Independent features with any values, and distributions over subsets of a given size."""

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jax import lax

from toy_superposition.declare import integer
from toy_superposition.distributions.distribution import (
  CELL,
  MAX_PATTERNS,
  Densities,
  Draws,
  Feature,
  Patterns,
  Valued,
  Weights,
  inverse,
  too_small_a_share,
)
from toy_superposition.types import Instance, Spec


def n_subsets(n_features: int) -> int | None:
  """Returns 2ⁿ, the number of subsets; None if they are too many."""
  return 2**n_features if n_features <= math.log2(MAX_PATTERNS) else None


def subsets(n_features: int) -> Patterns:
  """Returns all 2ⁿ subsets of features as columns of 0 and 1."""
  return np.array(list(itertools.product((0, 1), repeat=n_features)), np.float32).T


@dataclass(frozen=True)
class Independent(Valued):
  """x_i = 0 with probability 1 − density_i, else a value of the chosen law; independent features.

  One draw per feature decides both, as in sparse_uniform. A draw that is a multiple of CELL stands
  for its cell, as far as that is below the density; values without bound take the cell's middle,
  since at its beginning E x² of a density near RARE would lack 4 of a thousand.
  """

  independent: ClassVar[bool] = True

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns x."""
    density = instance.density
    middle = u
    if not self.law.bounded:
      # Draws of more bits, for rare instances, are hardly ever multiples where that matters.
      coarse = u * (1 / CELL) == jnp.floor(u * (1 / CELL))
      middle = jnp.where(coarse, 0.5 * (u + jnp.minimum(u + CELL, density)), u)
    return jnp.where(u < density, self.law.of(middle * inverse(density)), 0)

  def n_patterns(self, n_features: int) -> int | None:
    """Returns 2ⁿ for binary features."""
    return n_subsets(n_features) if self.law.is_one else None

  def patterns(self, instance: Instance) -> tuple[Patterns, Weights]:
    """Returns all subsets, with the product of their features' probabilities."""
    p = instance.density[:, None]
    x = subsets(p.shape[0])
    return x, jnp.prod(jnp.where(x > 0, p, 1 - p), axis=0)


@dataclass(frozen=True)
class ExactlyK(Valued):
  """Exactly k of the n features are active, every subset of k with the same probability."""

  k_active: int = integer(2, "≥ 1", "active features of every example")

  def n_draws(self, n_features: int) -> int:
    """Returns two per feature: one that orders it among the others, and one for its value."""
    return 2 * n_features

  def densities(self, density: Densities) -> Densities:
    """Returns k / n for every feature."""
    return np.full_like(density, self.k_active / density.shape[-1])

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns x: the k features with the largest draws are active."""
    n = instance.density.shape[0]
    _, chosen = lax.top_k(u[:n], self.k_active)
    active = jnp.zeros(n, bool).at[chosen].set(True)
    return jnp.where(active, self.law.of(u[n:]), 0)

  def n_patterns(self, n_features: int) -> int | None:
    """Returns the number of subsets of k, for binary features."""
    number = math.comb(n_features, self.k_active)
    return number if self.law.is_one and 0 < number <= MAX_PATTERNS else None

  def patterns(self, instance: Instance) -> tuple[Patterns, Weights]:
    """Returns all subsets of k, with equal weights."""
    n = instance.density.shape[0]
    x = np.zeros((n, math.comb(n, self.k_active)), np.float32)
    for column, chosen in enumerate(itertools.combinations(range(n), self.k_active)):
      x[list(chosen), column] = 1
    return x, jnp.full(x.shape[1], 1 / x.shape[1], jnp.float32)

  def refuses(self, spec: Spec, instances: Instance) -> str:
    """Returns why there are not so many features, or nothing."""
    del instances
    if self.k_active > spec.n_features:
      return f"config.data.k_active: {self.k_active}; allowed: at most {spec.n_features} features"
    return ""


@dataclass(frozen=True)
class Attributes(ExactlyK):
  """One active feature of each of k attributes, which have n/k values; all combinations equally.

  Features of an attribute are neighbours: a colour and a shape, for k = 2.
  """

  def n_draws(self, n_features: int) -> int:
    """Returns one per attribute, which chooses its value, and one per feature."""
    return self.k_active + n_features

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns x."""
    k, n = self.k_active, instance.density.shape[0]
    n_values = n // k
    chosen = jnp.floor(u[:k, None] * n_values)
    active = jnp.broadcast_to(jnp.arange(n_values)[None], (k, n_values)) == chosen
    return jnp.where(active.reshape(n), self.law.of(u[k:]), 0)

  def n_patterns(self, n_features: int) -> int | None:
    """Returns the number of combinations, for binary features."""
    number = (n_features // self.k_active) ** self.k_active
    return number if self.law.is_one and 0 < number <= MAX_PATTERNS else None

  def patterns(self, instance: Instance) -> tuple[Patterns, Weights]:
    """Returns all combinations, the last attribute's value fastest, with equal weights."""
    n_values = instance.density.shape[0] // self.k_active
    chosen = np.array(list(itertools.product(range(n_values), repeat=self.k_active)))
    x = np.eye(n_values, dtype=np.float32)[chosen].reshape(len(chosen), -1).T
    return x, jnp.full(len(chosen), 1 / len(chosen), jnp.float32)

  def refuses(self, spec: Spec, instances: Instance) -> str:
    """Returns why features do not fill whole attributes, or nothing."""
    if spec.n_features % self.k_active:
      return f"config.data.k_active: {self.k_active}; allowed: a divisor of {spec.n_features}"
    return super().refuses(spec, instances)


@dataclass(frozen=True)
class OneHot(Valued):
  """One active feature in every example, feature i with a probability ∝ density_i."""

  def n_draws(self, n_features: int) -> int:
    """Returns two: which feature, and its value."""
    del n_features
    return 2

  def densities(self, density: Densities) -> Densities:
    """Returns densities that add up to 1."""
    total = density.sum(axis=-1, keepdims=True)
    return density / np.where(total > 0, total, 1)

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns x."""
    upper = jnp.cumsum(instance.density)
    upper = upper / upper[-1]
    lower = jnp.concatenate([jnp.zeros(1, jnp.float32), upper[:-1]])
    return jnp.where((lower <= u[0]) & (u[0] < upper), self.law.of(u[1]), 0)

  def n_patterns(self, n_features: int) -> int | None:
    """Returns n for binary features."""
    return n_features if self.law.is_one and n_features <= MAX_PATTERNS else None

  def patterns(self, instance: Instance) -> tuple[Patterns, Weights]:
    """Returns the unit vectors, weighted by density."""
    return np.eye(instance.density.shape[0], dtype=np.float32), instance.density

  def refuses(self, spec: Spec, instances: Instance) -> str:
    """Returns why no feature could be chosen, or some not with their densities, or nothing."""
    del spec
    if (instances.density.sum(axis=1) <= 0).any():
      return "config.density: 0 for every feature; allowed with one_hot: a positive one"
    reason = too_small_a_share(np.asarray(instances.density))
    return f"config.density: {reason}" if reason else ""
