"""The paper's distributions: independent features, and correlated or anticorrelated sets."""

import itertools
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jax import lax

from toy_superposition.declare import integer
from toy_superposition.distributions.distribution import (
  MAX_PATTERNS,
  VALUES,
  Distribution,
  Draws,
  Feature,
  Patterns,
  Valued,
  Values,
  Weights,
  inverse,
)
from toy_superposition.distributions.finite import n_subsets, subsets
from toy_superposition.types import Instance


@dataclass(frozen=True)
class SparseUniform(Distribution):
  """x_i = 0 with probability S = 1 − density_i, else uniform on [0, 1) (paper, §2).

  One draw u per feature is enough: given u < p, u / p is uniform on [0, 1) again. Density 0 gives
  exactly 0, density 1 gives u itself. Values are multiples of 2⁻²³ / p, or for an instance with
  a density below RARE all that float32 holds.
  """

  independent: ClassVar[bool] = True

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns x on [0, 1)."""
    density = instance.density
    return jnp.where(u < density, u * inverse(density), 0)


@dataclass(frozen=True)
class UnitSparseUniform(SparseUniform):
  """sparse_uniform, with every example scaled to norm 1 (Henighan et al. 2023, "Superposition,
  Memorization, and Double Descent"). An example without active features stays 0."""

  independent: ClassVar[bool] = False  # the norm is that of all features

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns x of norm 1."""
    x = super().features(u, instance)
    square = jnp.sum(x**2, axis=0)
    return x * lax.rsqrt(jnp.where(square > 0, square, 1))

  def moments(self, density: Feature) -> tuple[Feature, Feature]:
    """Raises NotImplementedError: the moments of a value depend on all densities."""
    raise NotImplementedError("the moments of values that are scaled to norm 1")


@dataclass(frozen=True)
class SparseSignedUniform(Distribution):
  """x_i = 0 with probability 1 − density_i, else uniform on [−1, 1) (paper, absolute values)."""

  independent: ClassVar[bool] = True

  @property
  def law(self) -> Values:
    """Uniform on [−1, 1)."""
    return VALUES["signed_uniform"]

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns x on [−1, 1)."""
    density = instance.density
    return jnp.where(u < density, 2 * u * inverse(density) - 1, 0)


@dataclass(frozen=True)
class Sets(Valued):
  """What distributions over sets share. Features of a set are neighbours."""

  in_sets: ClassVar[bool] = True

  set_size: int = integer(1, "≥ 1", "features per set; divides n_features")


@dataclass(frozen=True)
class CorrelatedSets(Sets):
  """Sets that are active or silent as a whole, with independent values (paper,
  "Correlated and anticorrelated features").

  One draw decides for all members of a set; where densities differ within it, the members with
  the larger density are active whenever the others are.
  """

  def n_draws(self, n_features: int) -> int:
    """Returns one per set and one per feature."""
    return n_features // self.set_size + n_features

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns x."""
    density, set_size = instance.density, self.set_size
    n_sets = density.shape[0] // set_size
    decides = jnp.broadcast_to(u[:n_sets, None], (n_sets, set_size)).reshape(-1)
    return jnp.where(decides < density, self.law.of(u[n_sets:]), 0)

  def n_patterns(self, n_features: int) -> int | None:
    """Returns 2ⁿ for binary features; most have the weight 0."""
    return n_subsets(n_features) if self.law.is_one else None

  def patterns(self, instance: Instance) -> tuple[Patterns, Weights]:
    """Returns all subsets, as probable as the draws below the densities of all active members of a
    set and above those of all others."""
    n = instance.density.shape[0]
    x = subsets(n)
    of_sets = (n // self.set_size, self.set_size, -1)
    below = jnp.where(x > 0, instance.density[:, None], 1).reshape(of_sets).min(axis=1)
    above = jnp.where(x > 0, 0, instance.density[:, None]).reshape(of_sets).max(axis=1)
    return x, jnp.prod(jnp.maximum(below - above, 0), axis=0)


@dataclass(frozen=True)
class AnticorrelatedSets(Sets):
  """At most one active feature in each set (paper, "Correlated and anticorrelated features").

  Feature i is active with probability density_i, so a set with the sum of its members'; the
  paper's "probability of a set" is that sum. Which one it is depends on where a draw lies among
  the sums of their densities; so a config may have none below RARE times the sum up to it.
  """

  exclusive: ClassVar[bool] = True

  def n_draws(self, n_features: int) -> int:
    """Returns two per set."""
    return 2 * (n_features // self.set_size)

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns x."""
    density, set_size = instance.density, self.set_size
    n_sets = density.shape[0] // set_size
    upper = jnp.cumsum(density.reshape(n_sets, set_size), axis=1)
    lower = jnp.concatenate([jnp.zeros((n_sets, 1), jnp.float32), upper[:, :-1]], axis=1)
    decides = jnp.broadcast_to(u[:n_sets, None], upper.shape)
    value = jnp.broadcast_to(u[n_sets:, None], upper.shape)
    active = (lower <= decides) & (decides < upper)
    return jnp.where(active, self.law.of(value), 0).reshape(-1)

  def n_patterns(self, n_features: int) -> int | None:
    """Returns (k + 1) to the power of the number of sets of k, for binary features."""
    number = (self.set_size + 1) ** (n_features // self.set_size)
    return number if self.law.is_one and number <= MAX_PATTERNS else None

  def patterns(self, instance: Instance) -> tuple[Patterns, Weights]:
    """Returns all choices of one member or none from each set, and their probabilities."""
    p = instance.density.reshape(-1, self.set_size)
    choices = itertools.product(range(self.set_size + 1), repeat=len(p))
    chosen = np.array(list(choices)).T  # (set, pattern); set_size: none
    x = np.eye(self.set_size + 1, self.set_size, dtype=np.float32)[chosen]
    none = jnp.maximum(1 - p.sum(axis=1, keepdims=True), 0)
    each = jnp.concatenate([p, none], axis=1)
    weights = jnp.take_along_axis(each, jnp.asarray(chosen), axis=1)
    return x.transpose(0, 2, 1).reshape(-1, chosen.shape[1]), jnp.prod(weights, axis=0)
