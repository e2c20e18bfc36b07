"""Exact losses of three codes of correlated pairs: principal components, merged pairs, and one
feature of each pair."""

import math

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

NODES = 12  # of Gauss's rule on the values of an active feature
# Starts (a², b) of the descents of a code's two numbers.
STARTS = ((1.0, 0.0), (1.0, -0.2), (0.5, 0.05))

States = tuple[Float[np.ndarray, "feature state"], Float[np.ndarray, "state"]]


def both_active(p: float, rho: float) -> float:
  """Returns the probability that both features of a pair are active."""
  return rho * p + (1 - rho) * p**2


def pair_states(p: float, rho: float) -> States:
  """Returns values of a pair's two features, uniform on [0, 1) if active, and their weights."""
  nodes, weights = np.polynomial.legendre.leggauss(NODES)
  nodes, weights = (nodes + 1) / 2, weights / 2
  both = both_active(p, rho)
  first, second = (grid.ravel() for grid in np.meshgrid(nodes, nodes))
  zero = np.zeros(NODES)
  x = np.concatenate([[0.0], nodes, zero, first]), np.concatenate([[0.0], zero, nodes, second])
  each = (p - both) * weights
  w = np.concatenate([[1 - 2 * p + both], each, each, both * np.outer(weights, weights).ravel()])
  return np.stack(x), w


def digon_loss(a: States) -> float:
  """Returns the least expected loss, summed over features, of two equal groups of features with the
  columns +a and −a of one dimension: x′ = ReLU(± a² (Σx₊ − Σx₋) + b).

  Args:
    a: values of the features of one group, and their weights; both groups are independent.
  """
  x, w = a
  total = x.sum(axis=0)
  difference = total[:, None] - total[None, :]

  def loss(at: np.ndarray) -> float:
    output = np.maximum(at[0] * difference + at[1], 0)  # of every feature of the first group
    # E (x − y)² over the other group needs E y and E y² given this one's state.
    mean, square = output @ w, output**2 @ w
    return 2 * float(sum(w @ (one**2 - 2 * one * mean + square) for one in x))

  options = {"xatol": 1e-6, "fatol": 1e-10}
  found = (minimize(loss, start, method="Nelder-Mead", options=options) for start in STARTS)
  return min(float(one.fun) for one in found)


def variance(p: float) -> float:
  """Returns Var x of one feature."""
  return p / 3 - p**2 / 4


def linear_loss(p: float, rho: float, n_pairs: int, n_hidden: int) -> float:
  """Returns the least loss of a linear model with at most as many dimensions as pairs: a pair's
  covariance has the eigenvalues Var x ± ρ p (1 − p)/4."""
  covariance = rho * p * (1 - p) / 4
  return 2 * n_pairs * variance(p) - n_hidden * (variance(p) + covariance)


def merged_loss(p: float, rho: float) -> float:
  """Returns the loss of eight pairs in four dimensions, each pair one direction and two pairs
  opposite each other, with the best norm and bias."""
  return 4 * digon_loss(pair_states(p, rho))


def one_of_each_loss(p: float) -> float:
  """Returns the loss of one feature of each of eight pairs, as four antipodal pairs, and the mean
  in the place of the other."""
  nodes, weights = np.polynomial.legendre.leggauss(NODES)
  x = np.concatenate([[0.0], (nodes + 1) / 2])[None]
  w = np.concatenate([[1 - p], p * weights / 2])
  return 8 * variance(p) + 4 * digon_loss((x, w))


def chance(n_dimensions: int) -> float:
  """Returns the mean |cosine| of two random directions."""
  half = n_dimensions / 2
  return math.gamma(half) / (math.gamma(half + 0.5) * math.pi**0.5)
