"""Directions of correlated or anticorrelated sets: inner products within and between sets.

A set is `set_size` consecutive features, as in distributions.py. W is one model's directions.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from toy_superposition.geometry.components import cosines
from toy_superposition.geometry.orientation import angles

Directions = Float[np.ndarray, "hidden feature"]
COLLAPSED = 0.97  # cosine above which two members count as one direction
DIRECTION_NORM = 0.3  # minimum norm (exclusive) for a feature's direction to be meaningful


def set_of(n_features: int, set_size: int) -> Int[np.ndarray, "feature"]:
  """Returns the number of each feature's set, from 0."""
  return np.arange(n_features) // set_size


def within(W: Directions, set_size: int) -> Float[np.ndarray, "pair"]:
  """Returns the cosines of pairs of members of the same set, one set after another."""
  member = set_of(W.shape[1], set_size)
  i, j = np.triu_indices(W.shape[1], 1)
  return cosines(W)[i, j][member[i] == member[j]]


def products_within(W: Directions, set_size: int) -> Float[np.ndarray, "pair"]:
  """Returns W_i · W_j of every ordered pair of different features of the same set."""
  member = set_of(W.shape[1], set_size)
  pairs = (member[:, None] == member) & ~np.eye(W.shape[1], dtype=bool)
  return (W.T @ W)[pairs]


def products_between(W: Directions, set_size: int) -> Float[np.ndarray, "first second"]:
  """Returns W_i · W_j, i in the first and j in the second set."""
  return W[:, :set_size].T @ W[:, set_size : 2 * set_size]


def across(W: Directions, set_size: int) -> Float[np.ndarray, "feature other"]:
  """Returns every feature's cosines with the members of other sets."""
  member = set_of(W.shape[1], set_size)
  other = member[:, None] != member[None, :]
  return cosines(W)[other].reshape(W.shape[1], -1)


def adjacent(W: Float[np.ndarray, "2 feature"], set_size: int) -> bool:
  """Returns whether the members of each set are neighbours around the circle."""
  around = set_of(W.shape[1], set_size)[np.argsort(angles(W))]
  changes = around != np.roll(around, 1)
  return int(changes.sum()) == W.shape[1] // set_size


def collapsed(W: Directions) -> Bool[np.ndarray, "pair"]:
  """Returns which sets of two are collapsed, with both columns in one direction (paper, "Collapsing
  of Correlated Features")."""
  norm = np.linalg.norm(W, axis=0).reshape(-1, 2).min(axis=1)
  return (within(W, 2) > COLLAPSED) & (norm > DIRECTION_NORM)
