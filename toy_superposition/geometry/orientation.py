"""The same solution always drawn the same way: what is fixed beyond rotation and reflection.

The loss of a model with a linear hidden layer does not change when W is rotated or reflected, so
two trained models are compared, and drawn, after turning each into a standard position.
"""

import numpy as np
from jaxtyping import Float

REPRESENTED = 0.5  # least norm of a feature that may set the position


def oriented(W: Float[np.ndarray, "hidden feature"]) -> Float[np.ndarray, "hidden feature"]:
  """Returns O W, O orthogonal, in standard position.

  The first represented feature lies on the first axis, the next that is not parallel to it in the
  plane of the first two with a positive second coordinate, and so on. Inner products are kept.
  """
  W = np.asarray(W, float)
  norms = np.linalg.norm(W, axis=0)
  order = [*np.flatnonzero(norms >= REPRESENTED), *np.flatnonzero(norms < REPRESENTED)]
  basis: list[np.ndarray] = []
  for i in order:
    rest = W[:, i] - sum((b * (b @ W[:, i]) for b in basis), np.zeros(len(W)))
    length = np.linalg.norm(rest)
    # Directions are taken from what stands out clearly; noise would turn the picture around.
    if length > 0.1 * max(norms[i], REPRESENTED) and len(basis) < len(W):
      basis.append(rest / length)
  missing = len(W) - len(basis)
  if missing:
    found = np.array(basis).reshape(-1, len(W))
    _, _, right = np.linalg.svd(found, full_matrices=True) if len(basis) else (0, 0, np.eye(len(W)))
    basis += list(right[len(basis) :])
  return np.array(basis) @ W


def angles(W: Float[np.ndarray, "2 feature"]) -> Float[np.ndarray, "feature"]:
  """Returns the directions of features in the plane, in degrees from the first axis, [0, 360)."""
  return np.degrees(np.arctan2(W[1], W[0])) % 360


def gaps(W: Float[np.ndarray, "2 feature"]) -> Float[np.ndarray, "feature"]:
  """Returns the angles between neighbouring directions in the plane, in degrees; they add up to
  360."""
  around = np.sort(angles(W))
  return np.diff(around, append=around[0] + 360)
