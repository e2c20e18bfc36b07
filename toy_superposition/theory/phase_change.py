"""Closed forms of the phase change: n features in n − 1 hidden dimensions (paper, "Superposition
as a Phase Change").

All features have importance 1 but the last, the extra one, which has r; all have density p. The
paper compares a few fixed solutions: a feature is dropped (zero column, bias its mean p/2),
dedicated (its own direction, bias 0), or shares a direction antipodally with another (bias 0).
Losses are sums over features. They bound the optimum from above; optimum.py computes it.
"""

import enum

import numpy as np
from jaxtyping import Float, Int

Values = Float[np.ndarray, "..."] | float | int

TRIPLE_POINT = 4 / 7  # density at r = 1 at which all the phases' losses are equal
# Density at which the true optimum's extra feature enters superposition, by relative importance
# (and by its inverse, for n = 2, where it is the other feature that appears; the extra one's own
# superposition passes its threshold up to 4.5 % further in): from `optimum.global_minimum`, as
# tests/theory_test.py repeats.
TRUE_BOUNDARY = {0.1: 0.181, 0.2: 0.296, 0.5: 0.485}
# Bounds of the phases (no unit), halfway between their ideal values 0 and 1. They sort the cells of
# a phase map; elsewhere "represented" is what geometry/definitions.py says.
NORM_THRESHOLD = 0.5  # ‖W_i‖ from which a feature is dedicated or in superposition
SUPERPOSITION_THRESHOLD = 0.5  # Σ_{j≠i} (Ŵ_i · W_j)² from which it is in superposition


class Phase(enum.IntEnum):
  """What happens to the extra feature."""

  NOT_REPRESENTED = 0
  DEDICATED = 1
  SUPERPOSITION = 2


# The extra feature's phase in each solution, in the order of `losses`.
SOLUTIONS: dict[int, tuple[tuple[str, Phase], ...]] = {
  2: (
    ("ignore the extra feature", Phase.NOT_REPRESENTED),
    ("ignore the other feature", Phase.DEDICATED),
    ("superpose both", Phase.SUPERPOSITION),
  ),
  3: (
    ("ignore the extra feature", Phase.NOT_REPRESENTED),
    ("ignore one other feature", Phase.DEDICATED),
    ("superpose the extra with one other", Phase.SUPERPOSITION),
    ("superpose the two others", Phase.DEDICATED),
  ),
}


def losses(
  relative_importance: Values, density: Values, n_features: int
) -> Float[np.ndarray, "solution ..."]:
  """Returns the loss of each of SOLUTIONS[n_features], summed over features.

  A dropped feature costs its variance p/3 − p²/4 times its importance; an antipodal pair costs
  p²/6 times the sum of the two importances: both are active with probability p², and then each
  is wrong by the smaller value at most.

  Raises:
    ValueError: n_features is neither 2 nor 3.
  """
  if n_features not in SOLUTIONS:
    raise ValueError(f"phase change: {n_features} features; closed forms exist for 2 and 3")
  r, p = np.broadcast_arrays(relative_importance, density)
  variance = p / 3 - p**2 / 4
  rows = [r * variance, variance, (1 + r) * p**2 / 6]
  if n_features == 3:
    rows.append(p**2 / 3)
  return np.stack(rows)


def phase_map(
  relative_importance: Values, density: Values, n_features: int
) -> Int[np.ndarray, "..."]:
  """Returns the extra feature's Phase in the best of the fixed solutions."""
  best = np.argmin(losses(relative_importance, density, n_features), axis=0)
  return np.array([phase for _, phase in SOLUTIONS[n_features]])[best]


def boundary(relative_importance: Values, n_features: int) -> Values:
  """Returns the density p* below which the extra feature is in superposition.

  r ≤ 1: p* = 4r / (2 + 5r), against being dropped. r > 1: p* = 4 / (5 + 2r), against being
  dedicated, for n = 2; nan for n = 3, where it is dedicated at every density. Above the triple
  point (r = 1, p = 4/7) the boundary is the line r = 1.
  """
  r = np.asarray(relative_importance, dtype=float)
  dropped, dedicated = 4 * r / (2 + 5 * r), 4 / (5 + 2 * r)
  return np.where(r <= 1, dropped, dedicated if n_features == 2 else np.nan)


def classify(norm: Values, superposition: Values) -> Int[np.ndarray, "..."]:
  """Returns the Phase of a feature from its norm ‖W_i‖ and Σ_{j≠i} (Ŵ_i · W_j)².

  A norm that is not finite counts as not represented.
  """
  represented = np.isfinite(norm) & (np.asarray(norm) >= NORM_THRESHOLD)
  shared = np.asarray(superposition) >= SUPERPOSITION_THRESHOLD
  return np.where(represented, np.where(shared, 2, 1), 0)
