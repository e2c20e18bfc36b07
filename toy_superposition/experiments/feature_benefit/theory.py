"""The linear model's loss as two terms that pull in opposite directions.

Paper, section "Mathematical Understanding": if the decoder is the encoder's transpose and all
features have the same variance, each represented feature is a benefit, and each inner product of
two features a cost.
"""

import numpy as np
from jaxtyping import Float

Directions = Float[np.ndarray, "hidden feature"]
PerFeature = Float[np.ndarray, "feature"]


def feature_benefit(W: Directions, importance: PerFeature) -> float:
  """Returns Σ_i I_i (1 − ‖W_i‖²)²: the loss from features that are not represented."""
  return float(importance @ (1 - (W**2).sum(axis=0)) ** 2)


def interference(W: Directions, importance: PerFeature) -> float:
  """Returns Σ_{i≠j} I_j (W_j · W_i)²: the loss from other features along each direction."""
  squared = (W.T @ W) ** 2
  return float(importance @ (squared.sum(axis=1) - np.diag(squared)))


def linear_loss(
  W: Directions, b: PerFeature, importance: PerFeature, mean: float, variance: float
) -> float:
  """Returns E[Σ_i I_i (x_i − x′_i)²] of x′ = WᵀW x + b, for independent features that have the same
  mean and variance.

  It is the variance times the two terms above, and a third term if the bias is not optimal.
  """
  missed = mean - W.T @ (W @ np.full(len(b), mean)) - b
  terms = feature_benefit(W, importance) + interference(W, importance)
  return variance * terms + float(importance @ missed**2)


def sparse_moments(density: float) -> tuple[float, float]:
  """Returns mean and variance of a feature that is 0 or, with the given probability, uniform on
  [0, 1]: p/2 and p/3 − p²/4."""
  return density / 2, density / 3 - density**2 / 4
