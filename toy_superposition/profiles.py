"""Profiles: one number per instance becomes one value per feature.

A profile makes densities of config.density, and importances of config.importance. Its values and
its own fields have shape (instance,), the result (instance, feature), so that a sweep over any of
them is one vectorised call however many instances there are.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from toy_superposition import declare

Column = Float[np.ndarray, "instance"]
PerFeature = Float[np.ndarray, "instance feature"]


@dataclass(frozen=True)
class Uniform:
  """The same value for every feature."""

  def values(self, base: Column, n_features: int) -> PerFeature:
    """Returns `base` for every feature."""
    return np.repeat(base[:, None], n_features, axis=1)


@dataclass(frozen=True)
class Profile:
  """What profiles with a second number share."""

  ratio: Column | None = declare.number(
    1.0, "≥ 0", "second number of the profile, a factor on base", swept=True
  )


@dataclass(frozen=True)
class Geometric(Profile):
  """base · ratioⁱ for feature i = 0, 1, …: importances as in the paper, §3."""

  def values(self, base: Column, n_features: int) -> PerFeature:
    """Returns base · ratioⁱ."""
    assert self.ratio is not None  # `sweeps` gives one for each instance
    return base[:, None] * self.ratio[:, None] ** np.arange(n_features)


@dataclass(frozen=True)
class Zipf(Profile):
  """From base at the first feature to base · ratio at the last, affine in the power law (i + 1)^−a
  of feature i = 0, 1, … (Chanin et al., SynthSAEBench)."""

  exponent: Column | None = declare.number(
    0.5, "> 0", "a, exponent of the power law between base and base · ratio", swept=True
  )

  def values(self, base: Column, n_features: int) -> PerFeature:
    """Returns values that fall from base to base · ratio."""
    assert self.ratio is not None and self.exponent is not None
    power = np.arange(1, n_features + 1) ** -self.exponent[:, None]
    share = (power - power[:, -1:]) / np.maximum(1 - power[:, -1:], 1e-300)
    return base[:, None] * (self.ratio[:, None] + (1 - self.ratio[:, None]) * share)


@dataclass(frozen=True)
class Pareto:
  """Values that add up to base, proportional to (1 + tail · i / scale)^(−1/tail) of feature
  i = 0, 1, …, and to 0 where the bracket is negative.

  The tail of a generalised Pareto law has this form. So one family holds the frequencies of Liu,
  Liu and Gore (2025): the power law (i + 1)^−a is tail = scale = 1/a, exponential ones have the
  tail 0, and linear ones, which reach 0 at feature i = scale, the tail −1.
  """

  tail: Column | None = declare.number(
    1.0, "[-1, 100]", "shape: > 0 a power law, 0 exponential, −1 linear", swept=True
  )
  scale: Column | None = declare.number(
    1.0, "> 0", "features over which the profile begins to fall, as (1 − i/scale) does", swept=True
  )

  def values(self, base: Column, n_features: int) -> PerFeature:
    """Returns values that add up to base."""
    assert self.tail is not None and self.scale is not None
    place = np.arange(n_features) / self.scale[:, None]
    bracket, tail = 1 + self.tail[:, None] * place, self.tail[:, None]
    exponent = np.log(np.maximum(bracket, 1e-300)) / np.where(tail == 0, 1, tail)
    values = np.where(bracket > 0, np.exp(-np.where(tail == 0, place, exponent)), 0)
    return base[:, None] * values / values.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class FirstApart(Profile):
  """base · ratio for the first feature and base for the others."""

  def values(self, base: Column, n_features: int) -> PerFeature:
    """Returns base, times ratio for the first feature."""
    values = np.repeat(base[:, None], n_features, axis=1)
    values[:, 0] *= self.ratio
    return values


@dataclass(frozen=True)
class LastApart(Profile):
  """base · ratio for the last feature, the "extra" feature of the phase change."""

  def values(self, base: Column, n_features: int) -> PerFeature:
    """Returns base, times ratio for the last feature."""
    values = np.repeat(base[:, None], n_features, axis=1)
    values[:, -1] *= self.ratio
    return values


PROFILES: dict[str, type] = declare.table(
  ("density.profile", "importance.profile"),
  {
    "uniform": Uniform,
    "geometric": Geometric,
    "zipf": Zipf,
    "pareto": Pareto,
    "first_apart": FirstApart,
    "last_apart": LastApart,
  },
)
