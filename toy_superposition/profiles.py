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
    "first_apart": FirstApart,
    "last_apart": LastApart,
  },
)
