"""Inner products within and between sets of neighbouring features."""

import numpy as np
from jaxtyping import Float


def within_sets(W: Float[np.ndarray, "hidden feature"], set_size: int) -> Float[np.ndarray, "pair"]:
  """Returns W_i · W_j of every pair of different features of the same set."""
  member = np.arange(W.shape[1]) // set_size
  pairs = (member[:, None] == member) & ~np.eye(W.shape[1], dtype=bool)
  return (W.T @ W)[pairs]


def between_sets(
  W: Float[np.ndarray, "hidden feature"], set_size: int
) -> Float[np.ndarray, "one other"]:
  """Returns W_i · W_j, i in the first and j in the second set."""
  return W[:, :set_size].T @ W[:, set_size : 2 * set_size]
