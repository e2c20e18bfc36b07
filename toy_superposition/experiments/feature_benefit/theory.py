"""The linear model's loss as two terms that pull in opposite directions.

Paper, section "Mathematical Understanding": with the weights tied and every feature of the same
variance, each represented feature is a benefit, and each inner product of two features a cost.
"""

import numpy as np
from jaxtyping import Float

Directions = Float[np.ndarray, "hidden feature"]
PerFeature = Float[np.ndarray, "feature"]


def feature_benefit(W: Directions, importance: PerFeature) -> float:
  """Returns Σ_i I_i (1 − ‖W_i‖²)²: what is lost by features that are not represented."""
  return float(importance @ (1 - (W**2).sum(axis=0)) ** 2)


def interference(W: Directions, importance: PerFeature) -> float:
  """Returns Σ_{i≠j} I_j (W_j · W_i)²: what features lose to others along their direction."""
  squared = (W.T @ W) ** 2
  return float(importance @ (squared.sum(axis=1) - np.diag(squared)))


def linear_loss(
  W: Directions, b: PerFeature, importance: PerFeature, mean: float, variance: float
) -> float:
  """Returns E[Σ_i I_i (x_i − x′_i)²] of x′ = WᵀW x + b, for independent features alike.

  The variance multiplies the two terms above; a bias that is not the best one adds a third.
  """
  missed = mean - W.T @ (W @ np.full(len(b), mean)) - b
  terms = feature_benefit(W, importance) + interference(W, importance)
  return variance * terms + float(importance @ missed**2)


def sparse_moments(density: float) -> tuple[float, float]:
  """Returns mean and variance of a feature that is 0 or, with the given probability, uniform on
  [0, 1]: p/2 and p/3 − p²/4."""
  return density / 2, density / 3 - density**2 / 4
