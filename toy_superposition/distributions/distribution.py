"""What a feature distribution is: arithmetic on ONE example of one instance.

A distribution says how many uniform numbers an example needs, and what it makes of them. Where the
numbers come from, and how many examples there are, is decided elsewhere. The instance's density i
is always the probability that feature i is active.

Numbers of 23 bits decide both whether a feature is active and its value. For instances with a
density below RARE the numbers have more bits (draws.py). Then for every density that is allowed, 0
or at least LEAST, the probability of being active and the mean and mean square of an active value
are right within a relative error of ERROR; the mean of a signed value, which is 0, within ERROR.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from toy_superposition import declare
from toy_superposition.declare import choice
from toy_superposition.types import Instance

Draws = Float[Array, "draw"]
Feature = Float[Array, "feature"]
Patterns = Float[np.ndarray | Array, "feature pattern"]
Weights = Float[Array, "pattern"]
Densities = Float[np.ndarray, "*instance feature"]

RARE = 2.0**-10  # below all densities of the paper's experiments
LEAST = 1e-15  # at which 64 bits have 18 000 values below the density
ERROR = 1e-3
MAX_PATTERNS = 2**16  # different examples that the exact loss adds up
CELL = 2.0**-23  # uniform numbers are its multiples below 1, except for rare features
HALF = 2.0**-24  # half of it more keeps quantiles finite


class Values(NamedTuple):
  """The law of an active feature's value."""

  of: Callable[[Array], Array]  # of a uniform number on [0, 1)
  mean: float
  mean_square: float
  signed: bool = False
  is_one: bool = False  # whether it is 1, and nothing else
  bounded: bool = True  # else the last cell of coarse numbers matters to the mean square


def quantile(u: Array) -> Array:
  """Returns Φ⁻¹(u), the quantile of the standard normal law."""
  return 2**0.5 * lax.erf_inv(jnp.minimum(2 * (u + HALF) - 1, 1 - HALF))


VALUES: dict[str, Values] = declare.table(
  "data.value_law",
  {
    "uniform": Values(lambda u: u, 1 / 2, 1 / 3),  # on [0, 1), the paper's
    "signed_uniform": Values(lambda u: 2 * u - 1, 0.0, 1 / 3, signed=True),  # on [−1, 1)
    "uniform_to_two": Values(lambda u: 2 * u, 1.0, 4 / 3),  # on [0, 2): of mean 1
    "one": Values(jnp.ones_like, 1.0, 1.0, is_one=True),  # binary features
    # N(1, 1/10²): positive, since coarse numbers end at 5.3 standard deviations.
    "near_one": Values(lambda u: 1 + 0.1 * quantile(u), 1.0, 1.01),
    # |N(0, 1)|, by the quantile at (1 − u) / 2, whose float32 resolves the tail.
    "half_normal": Values(
      lambda u: jnp.maximum(-quantile(0.5 - 0.5 * u), 0), (2 / np.pi) ** 0.5, 1.0, bounded=False
    ),
    # Of mean 1; where u is rounded to 1, the value at half a multiple of 2⁻²³ below.
    "exponential": Values(lambda u: -jnp.log1p(-jnp.minimum(u, 1 - HALF)), 1.0, 2.0, bounded=False),
  },
)


class Distribution:
  """What a row of DISTRIBUTIONS inherits; its hyperparameters are declared fields."""

  independent: ClassVar[bool] = False  # whether feature i depends on draw i and density i alone
  in_sets: ClassVar[bool] = False  # whether features come in sets of `set_size` neighbours
  exclusive: ClassVar[bool] = False  # whether a set's densities must not add up to more than 1

  @property
  def law(self) -> Values:
    """The law of active values."""
    return VALUES[getattr(self, "value_law", "uniform")]

  def n_draws(self, n_features: int) -> int:
    """Returns how many uniform numbers an example needs: one per feature."""
    return n_features

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns the features x of one example, from its uniform numbers on [0, 1)."""
    raise NotImplementedError

  def densities(self, density: Densities) -> Densities:
    """Returns the densities that features have if a config asks for `density`, on the host."""
    return density

  def moments(self, density: Feature) -> tuple[Feature, Feature]:
    """Returns E x_i and E x_i² of features with the given densities."""
    return density * self.law.mean, density * self.law.mean_square

  def n_patterns(self, n_features: int) -> int | None:
    """Returns how many different examples there are; None if not finitely many, or too many."""
    del n_features
    return None

  def patterns(self, instance: Instance) -> tuple[Patterns, Weights]:
    """Returns all different examples, and their probabilities, of a finite distribution."""
    raise NotImplementedError


@dataclass(frozen=True)
class Valued(Distribution):
  """What distributions share whose values have a law of their own choice."""

  value_law: str = choice("uniform", "law of active values; a row of VALUES")


def is_rare(density: Feature) -> Bool[Array, ""]:
  """Returns whether any feature of an instance is so rare that its draws need more than 23 bits."""
  return jnp.any((density > 0) & (density < RARE))


def any_rare(densities: Densities) -> bool:
  """Returns whether `is_rare` is true of any instance, on the host."""
  return bool(np.any((densities > 0) & (densities < RARE)))


def inverse(density: Feature) -> Feature:
  """Returns 1 / density, and 1 where nothing is active."""
  return 1 / jnp.where(density > 0, density, 1)


def too_small_a_share(shares: Densities) -> str:
  """Returns why float32 does not tell apart events that are intervals of one number, or nothing.

  An interval at s is a multiple of s · 2⁻²⁴, or of 2⁻²³, so RARE of s is known within ERROR.

  Args:
    shares: lengths of intervals that follow one another along the last axis.
  """
  low = RARE * np.minimum(np.cumsum(shares, axis=-1, dtype=float), 1)
  bad = np.argwhere((shares > 0) & (shares < low))
  if not len(bad):
    return ""
  where = tuple(bad[0])
  return (
    f"a probability of {shares[where]:g} where at most one feature is chosen; allowed: 0, or at "
    f"least {low[where]:g}, 1/{1 / RARE:g} of the sum of the probabilities up to it"
  )
