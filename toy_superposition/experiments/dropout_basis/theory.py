"""Codes under inverted dropout of hidden units: closed forms, and the bases they prefer.

With mask m_k = 0 with probability q, else 1/(1 − q), a linear code has the extra loss
q/(1 − q) Σ_k E h_k² ‖row k of the decoder‖². A feature alone pays for Σ_k w_k⁴, which is least if
it uses all dimensions equally.
"""

import itertools

import numpy as np
from jaxtyping import Float

from toy_superposition.geometry.definitions import is_represented


def masks(n_hidden: int, dropout: float) -> tuple[Float[np.ndarray, "mask hidden"], np.ndarray]:
  """Returns all masks, 0 or 1/(1 − q) for each hidden unit, and their probabilities."""
  kept = np.array(list(itertools.product((0, 1), repeat=n_hidden)), float)
  number = kept.sum(axis=1)
  return kept / (1 - dropout), (1 - dropout) ** number * dropout ** (n_hidden - number)


def fourth_moment(W: Float[np.ndarray, "*model hidden feature"]) -> Float[np.ndarray, "*model"]:
  """Returns Σ_k ŵ_k⁴ of unit columns, averaged over represented features; NaN without any.

  It is 1 for features along the axes, 1/m for columns spread evenly over all dimensions, and on
  average 3/(m + 2) for random directions.
  """
  norm = np.linalg.norm(W, axis=-2)
  there = is_represented(W)
  moment = (W**4).sum(axis=-2) / np.where(there, norm, 1) ** 4
  mean = np.where(there, moment, 0).sum(axis=-1) / np.where(there.any(-1), there.sum(-1), np.nan)
  return np.asarray(mean)


def random_moment(n_hidden: int) -> float:
  """Returns E Σ_k ŵ_k⁴ of a random direction."""
  return 3 / (n_hidden + 2)


def aligned_loss(n_features: int, density: float, dropout: float) -> float:
  """Returns the loss, summed over features, of the best code with a unit for every feature.

  Without bias: w² = 1 − q, and q of every feature's E x² = p/3 is lost.
  """
  return n_features * dropout * density / 3


def bound(n_features: int, n_hidden: int, density: float, dropout: float) -> float:
  """Returns the loss of features that each use all dimensions and do not disturb each other.

  Without bias; features that are active together do disturb each other, so that no code reaches it.
  """
  share = dropout / ((1 - dropout) * n_hidden)
  return n_features * share / (1 + share) * density / 3
