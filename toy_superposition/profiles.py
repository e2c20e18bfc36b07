"""Profiles: two numbers per instance become one value per feature.

Each takes `base` and `ratio` of shape (instance,) and returns (instance, feature), so that a
sweep over either number is one vectorised call however many instances there are.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Column = Float[np.ndarray, "instance"]
PerFeature = Float[np.ndarray, "instance feature"]


def uniform(base: Column, ratio: Column, n_features: int) -> PerFeature:
  """Returns `base` for every feature; `ratio` is not used."""
  del ratio
  return np.repeat(base[:, None], n_features, axis=1)


def geometric(base: Column, ratio: Column, n_features: int) -> PerFeature:
  """Returns base · ratioⁱ for feature i = 0, 1, …: importances as in §3 of the paper."""
  return base[:, None] * ratio[:, None] ** np.arange(n_features)


def first_apart(base: Column, ratio: Column, n_features: int) -> PerFeature:
  """Returns base · ratio for the first feature and `base` for the others."""
  values = uniform(base, ratio, n_features)
  values[:, 0] *= ratio
  return values


def last_apart(base: Column, ratio: Column, n_features: int) -> PerFeature:
  """Returns base · ratio for the last feature: the "extra" feature of the phase change."""
  values = uniform(base, ratio, n_features)
  values[:, -1] *= ratio
  return values


PROFILES: dict[str, Callable[[Column, Column, int], PerFeature]] = {
  "uniform": uniform,
  "geometric": geometric,
  "first_apart": first_apart,
  "last_apart": last_apart,
}
