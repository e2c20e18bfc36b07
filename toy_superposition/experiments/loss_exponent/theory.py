"""Least losses of linear models of rank D on binary features, of which z are on.

The model is its product M = W₂ W₁: encoder and decoder are known up to an invertible map of the
hidden space. Losses are means over outputs.
"""

import math

import numpy as np
from jaxtyping import Float


def least_squared_error(n_features: int, n_dimensions: int, n_active: int) -> float:
  """Returns the least mean squared error.

  E x xᵀ = α 1 + β 11ᵀ with α = z/T − z(z − 1)/(T(T − 1)). For z = 1, β = 0: every encoder of rank D
  has the error of a projection, (T − D)/T². Else the direction of all ones is kept, and any D − 1
  of the others, which are alike.
  """
  T, D, z = n_features, n_dimensions, n_active
  if z == 1:
    return (T - D) / T**2
  alpha = z / T - z * (z - 1) / (T * (T - 1))
  return alpha * (T - D) / T


def lower_bound(n_features: int, n_dimensions: int, n_active: int, q: float) -> float:
  """Returns a bound from below on the mean of |error|^q, q ≥ 2: Jensen's, from the squared error.

  It is reached where all errors have one size, such as for D = T − 1 and z = 1: (1/T)^q.
  """
  return least_squared_error(n_features, n_dimensions, n_active) ** (q / 2)


def frame_loss(gram: Float[np.ndarray, "feature feature"], q: float) -> float:
  """Returns the least loss for z = 1 of c · gram over c, for a Gram matrix of unit vectors.

  One error 1 − c and errors c |g_ij|, with s = Σ_j≠i |g_ij|^q on average over i:
  c/(1 − c) = s^(−1/(q−1)), and the loss is s / (1 + s^(1/(q−1)))^(q−1) / T.
  """
  T = len(gram)
  s = float((np.abs(gram) ** q).sum() - T) / T
  return s / (1 + s ** (1 / (q - 1))) ** (q - 1) / T


def even_lines(n_features: int) -> Float[np.ndarray, "feature feature"]:
  """Returns the Gram matrix of T lines in a plane at even angles, π/T."""
  angle = np.pi * np.arange(n_features) / n_features
  return np.cos(angle[:, None] - angle)


def random_leverage_std(n_features: int, n_dimensions: int) -> float:
  """Returns the standard deviation of P_ii for a random subspace: P_ii has a beta distribution of
  the parameters D/2 and (T − D)/2."""
  T, D = n_features, n_dimensions
  return math.sqrt(D * (T - D) / (T**2 * (T / 2 + 1)))
