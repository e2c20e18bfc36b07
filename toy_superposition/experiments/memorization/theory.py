"""A code that stores examples exactly: what training can reach on a finite set.

With x of norm 1 and disjoint sets of active features, T examples are T features of values 1: the
columns of example t's features are x_ti times one corner of a regular polygon.
"""

import numpy as np
from jaxtyping import Float


def memorizing_code(
  examples: Float[np.ndarray, "feature example"],
) -> tuple[Float[np.ndarray, "hidden feature"], Float[np.ndarray, "feature"]]:
  """Returns W and b of two dimensions that reconstruct examples without common active features.

  With corners v_t of squared norm l² = 1/(1 − cos 2π/T), example s gives output i of example t the
  value x_ti (v_t · v_s + 1 − l²): x_ti for s = t, and at most 0 otherwise.

  Args:
    examples: of norm 1, at least two. A feature of several examples gets the mean of their columns,
      and then the reconstruction is not exact.
  """
  n = examples.shape[1]
  turn = 2 * np.pi * np.arange(n) / n
  square = 1 / (1 - np.cos(2 * np.pi / n))
  corners = np.sqrt(square) * np.stack([np.cos(turn), np.sin(turn)])
  owners = np.maximum((examples > 0).sum(axis=1), 1)
  return corners @ (examples.T / owners), (1 - square) * examples.sum(axis=1) / owners


def alone(n_features: int, n_hidden: int) -> float:
  """Returns the expected loss of as many features as dimensions, stored without interference, of
  examples of norm 1: every feature has the same share of the norm."""
  return 1 - n_hidden / n_features


def dimensionalities(h: Float[np.ndarray, "hidden point"]) -> Float[np.ndarray, "point"]:
  """Returns ‖h_t‖² / Σ_s (ĥ_t · h_s)² of points, 0 for points at the origin."""
  square = (h**2).sum(axis=0)
  shared = np.einsum("ht,hk,kt->t", h, h @ h.T, h)
  return np.where(shared > 0, square**2 / np.where(shared > 0, shared, 1), 0)


def largest_turn(h: Float[np.ndarray, "hidden point"]) -> float:
  """Returns by how many degrees the angles between neighbouring points in a plane differ most from
  those of a regular polygon."""
  angle = np.sort(np.degrees(np.arctan2(h[1], h[0])))
  between = np.diff(np.append(angle, angle[0] + 360))
  return float(np.abs(between - 360 / h.shape[1]).max())
