"""Features that choose among m hidden units and two signs: how many units two of them share.

A feature that has settled has one weight w_ik near ±1. Two of equal sign on a unit disturb each
other; with opposite signs, w_i · w_j = −1, which the output's ReLU removes.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy import optimize

ON = 0.5  # |w| above which a feature is on a unit: settled weights are near 1 or 0
SETTLED = 0.9  # Σ_k ŵ_k⁴ above which a feature has one unit: .5 if two have equal weights
Weights = Float[np.ndarray, "*model hidden feature"]


def pairs(n: int, m: int) -> float:
  """Returns n(n − 1)/4m, the published number: pairs of features whose largest weights are on one
  unit, half of which have opposite signs."""
  return n * (n - 1) / (4 * m)


def exclusive(n: int, m: int) -> float:
  """Returns the mean number of shared units if n features take different ones of the 2m places
  (unit, sign) at random: m n(n − 1)/(2m(2m − 1))."""
  return n * (n - 1) / (2 * (2 * m - 1))


def independent(n: int, m: int) -> float:
  """Returns the mean number of units with both signs if each feature chooses a unit and a sign by
  itself: units on which no + or no − falls are counted out."""
  return m * (1 - 2 * (1 - 1 / (2 * m)) ** n + (1 - 1 / m) ** n)


def lowest(penalty: float) -> float:
  """Returns the minimum over all weights of the mean over inputs of loss + λ Σ|h|.

  Input e_i gives output ‖W_i‖² at i and the penalty λ ‖W_i‖₁ ≥ λ ‖W_i‖, so no feature is below
  min_s (1 − s²)² + λ s. With one weight s for each feature, and no two of a sign on a unit, the
  other outputs are 0: m ≥ n/2 units suffice, and with m ≥ n none has to be shared.
  """
  found = optimize.minimize_scalar(
    lambda s: (1 - s**2) ** 2 + penalty * s, bounds=(0.5, 1), method="bounded"
  )
  return float(min(found.fun, 1.0))  # 1: no weights


def shared(W: Weights) -> Bool[np.ndarray, "*model hidden"]:
  """Returns which units are polysemantic: two or more features are on them."""
  return (np.abs(W) > ON).sum(axis=-1) > 1


def crowded(W: Weights) -> Bool[np.ndarray, "*model hidden"]:
  """Returns which units have two features of one sign."""
  return ((W > ON).sum(axis=-1) > 1) | ((W < -ON).sum(axis=-1) > 1)


def settled(W: Weights) -> Bool[np.ndarray, "*model feature"]:
  """Returns which features have one unit."""
  square = (W**2).sum(axis=-2)
  return (W**4).sum(axis=-2) > SETTLED * square**2


def kept(before: Weights, W: Weights) -> Bool[np.ndarray, "*model feature"]:
  """Returns which features have their largest |w| on the same unit as before training."""
  return np.abs(before).argmax(axis=-2) == np.abs(W).argmax(axis=-2)
