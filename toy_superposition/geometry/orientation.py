"""Standard position of a model, so that equal solutions are drawn alike.

The loss of a model with a linear hidden layer does not change when W is rotated or reflected, so
two trained models are compared, and drawn, after turning each into standard position.
"""

import numpy as np
from jaxtyping import Float

ORIENTING_NORM = 0.5  # minimum norm of a feature that may set the position


def oriented(W: Float[np.ndarray, "hidden feature"]) -> Float[np.ndarray, "hidden feature"]:
  """Returns O W, O orthogonal, in standard position.

  The first feature whose norm is at least ORIENTING_NORM lies on the first axis, the next one not
  parallel to it in the plane of the first two axes with a positive second coordinate, and so on.
  Inner products are kept. Shorter features come last.
  """
  W = np.asarray(W, float)
  norms = np.linalg.norm(W, axis=0)
  order = [*np.flatnonzero(norms >= ORIENTING_NORM), *np.flatnonzero(norms < ORIENTING_NORM)]
  basis: list[np.ndarray] = []
  for i in order:
    rest = W[:, i] - sum((b * (b @ W[:, i]) for b in basis), np.zeros(len(W)))
    length = np.linalg.norm(rest)
    # A direction that noise could reverse would turn the whole picture around.
    if length > 0.1 * max(norms[i], ORIENTING_NORM) and len(basis) < len(W):
      basis.append(rest / length)
  missing = len(W) - len(basis)
  if missing:
    rows = np.array(basis).reshape(-1, len(W))
    _, _, right = np.linalg.svd(rows, full_matrices=True) if len(basis) else (0, 0, np.eye(len(W)))
    basis += list(right[len(basis) :])
  return np.array(basis) @ W


def angles(W: Float[np.ndarray, "2 feature"]) -> Float[np.ndarray, "feature"]:
  """Returns the directions of features in the plane, in degrees from the first axis, [0, 360)."""
  return np.degrees(np.arctan2(W[1], W[0])) % 360


def gaps(W: Float[np.ndarray, "2 feature"]) -> Float[np.ndarray, "feature"]:
  """Returns the angles between neighbouring directions in the plane, in degrees; their sum is
  360."""
  around = np.sort(angles(W))
  return np.diff(around, append=around[0] + 360)
