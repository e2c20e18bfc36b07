"""Where the members of correlated or anticorrelated sets lie, among themselves and to others.

Features come in sets of neighbours, as in distributions.py. Arguments are one model's directions.
"""

import numpy as np
from jaxtyping import Bool, Float

from toy_superposition.geometry.components import cosines
from toy_superposition.geometry.orientation import angles

Directions = Float[np.ndarray, "hidden feature"]
COLLAPSED = 0.97  # least cosine of two members that count as one direction
PRESENT = 0.3  # least norm of a feature of which the direction means something


def set_of(n_features: int, set_size: int) -> np.ndarray:
  """Returns the number of each feature's set."""
  return np.arange(n_features) // set_size


def within(W: Directions, set_size: int) -> Float[np.ndarray, "pair"]:
  """Returns the cosines between members of one set, all sets after each other."""
  member = set_of(W.shape[1], set_size)
  i, j = np.triu_indices(W.shape[1], 1)
  return cosines(W)[i, j][member[i] == member[j]]


def products_within(W: Directions, set_size: int) -> Float[np.ndarray, "pair"]:
  """Returns W_i · W_j of every pair of different features of the same set."""
  member = set_of(W.shape[1], set_size)
  pairs = (member[:, None] == member) & ~np.eye(W.shape[1], dtype=bool)
  return (W.T @ W)[pairs]


def products_between(W: Directions, set_size: int) -> Float[np.ndarray, "one other"]:
  """Returns W_i · W_j, i in the first and j in the second set."""
  return W[:, :set_size].T @ W[:, set_size : 2 * set_size]


def across(W: Directions, set_size: int) -> Float[np.ndarray, "feature other"]:
  """Returns every feature's cosines with the members of other sets."""
  member = set_of(W.shape[1], set_size)
  other = member[:, None] != member[None, :]
  return cosines(W)[other].reshape(W.shape[1], -1)


def adjacent(W: Float[np.ndarray, "2 feature"], set_size: int) -> bool:
  """Returns whether each set's members follow each other around the circle."""
  around = set_of(W.shape[1], set_size)[np.argsort(angles(W))]
  borders = around != np.roll(around, 1)
  return int(borders.sum()) == W.shape[1] // set_size


def collapsed(W: Directions) -> Bool[np.ndarray, "pair"]:
  """Returns for sets of two whether both columns are one direction (paper, "Collapsing of
  Correlated Features")."""
  norm = np.linalg.norm(W, axis=0).reshape(-1, 2).min(axis=1)
  return (within(W, 2) > COLLAPSED) & (norm > PRESENT)
