"""Feature distributions: an example's uniform numbers become its features.

A distribution is arithmetic on ONE example of one instance: how many uniform numbers it needs, and
what it makes of them. Where the numbers come from, and how many examples there are, is decided
elsewhere. The instance's density i is always the probability that feature i is active.

Numbers of 23 bits decide both whether a feature is active and its value. For instances with a
density below RARE the numbers have more bits (draws.py). Then for every density that is allowed, 0
or at least LEAST, the probability of being active and the mean and mean square of an active value
are right within a relative error of ERROR; the mean of a signed value, which is 0, within ERROR.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from toy_superposition import declare
from toy_superposition.declare import integer
from toy_superposition.types import Instance

Draws = Float[Array, "draw"]
Feature = Float[Array, "feature"]

RARE = 2.0**-10  # below all densities of the paper's experiments
LEAST = 1e-15  # at which 64 bits have 18 000 values below the density
ERROR = 1e-3


class Distribution:
  """What a row of DISTRIBUTIONS inherits; its hyperparameters are declared fields."""

  independent: ClassVar[bool] = False  # whether feature i depends on draw i and density i alone
  in_sets: ClassVar[bool] = False  # whether features come in sets of `set_size` neighbours
  exclusive: ClassVar[bool] = False  # whether a set's densities must not add up to more than 1
  signed: ClassVar[bool] = False  # whether features may be negative

  def n_draws(self, n_features: int) -> int:
    """Returns how many uniform numbers an example needs: one per feature."""
    return n_features

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns the features x of one example, from its uniform numbers on [0, 1)."""
    raise NotImplementedError


def is_rare(density: Feature) -> Bool[Array, ""]:
  """Returns whether any feature of an instance is so rare that its draws need more than 23 bits."""
  return jnp.any((density > 0) & (density < RARE))


def any_rare(densities: Float[np.ndarray, "*instance feature"]) -> bool:
  """Returns whether `is_rare` is true of any instance, on the host."""
  return bool(np.any((densities > 0) & (densities < RARE)))


def _inverse(density: Feature) -> Feature:
  """Returns 1 / density, and 1 where nothing is active."""
  return 1 / jnp.where(density > 0, density, 1)


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
    return jnp.where(u < density, u * _inverse(density), 0)


@dataclass(frozen=True)
class SparseSignedUniform(Distribution):
  """x_i = 0 with probability 1 − density_i, else uniform on [−1, 1) (paper, absolute values)."""

  independent: ClassVar[bool] = True
  signed: ClassVar[bool] = True

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns x on [−1, 1)."""
    density = instance.density
    return jnp.where(u < density, 2 * u * _inverse(density) - 1, 0)


@dataclass(frozen=True)
class Sets(Distribution):
  """What distributions over sets share. Features of a set are neighbours."""

  in_sets: ClassVar[bool] = True

  set_size: int = integer(1, "≥ 1", "features per set; divides n_features")


@dataclass(frozen=True)
class CorrelatedSets(Sets):
  """Sets that are active or silent as a whole, with independent values on [0, 1) (paper,
  "Correlated and anticorrelated features").

  One draw decides for all members of a set; where densities differ within it, the members with
  the larger density are active whenever the others are.
  """

  def n_draws(self, n_features: int) -> int:
    """Returns one per set and one per feature."""
    return n_features // self.set_size + n_features

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns x on [0, 1)."""
    density, set_size = instance.density, self.set_size
    n_sets = density.shape[0] // set_size
    decides = jnp.broadcast_to(u[:n_sets, None], (n_sets, set_size)).reshape(-1)
    return jnp.where(decides < density, u[n_sets:], 0)


@dataclass(frozen=True)
class AnticorrelatedSets(Sets):
  """At most one active feature in each set, its value uniform on [0, 1) (paper, "Correlated and
  anticorrelated features").

  Feature i is active with probability density_i, so a set with the sum of its members'; the
  paper's "probability of a set" is that sum. Which one it is depends on where a draw lies among
  the sums of their densities; so a config may have none below RARE times the sum up to it.
  """

  exclusive: ClassVar[bool] = True

  def n_draws(self, n_features: int) -> int:
    """Returns two per set."""
    return 2 * (n_features // self.set_size)

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns x on [0, 1)."""
    density, set_size = instance.density, self.set_size
    n_sets = density.shape[0] // set_size
    upper = jnp.cumsum(density.reshape(n_sets, set_size), axis=1)
    lower = jnp.concatenate([jnp.zeros((n_sets, 1), jnp.float32), upper[:, :-1]], axis=1)
    decides = jnp.broadcast_to(u[:n_sets, None], upper.shape)
    value = jnp.broadcast_to(u[n_sets:, None], upper.shape)
    return jnp.where((lower <= decides) & (decides < upper), value, 0).reshape(-1)


DISTRIBUTIONS: dict[str, type[Distribution]] = declare.table(
  "data.distribution",
  {
    "sparse_uniform": SparseUniform,
    "sparse_signed_uniform": SparseSignedUniform,
    "correlated_sets": CorrelatedSets,
    "anticorrelated_sets": AnticorrelatedSets,
  },
)
