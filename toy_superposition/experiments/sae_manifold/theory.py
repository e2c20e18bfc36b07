"""The best code of a circle by evenly spaced directions, in closed form."""

import numpy as np

ANGLES = 20_001  # of the trapezoidal rule between two neighbours


def bound(n_latents: int, penalty: float) -> float:
  """Returns the least mean of ‖s − ŝ‖² + λ Σ z, z ≥ 0, on n directions at even angles.

  A point at the angles φ and δ − φ from its neighbours, δ = 2π/n, is coded by both if both codes of
  the nonnegative lasso are positive, z = G⁻¹ (c − λ/2) with cosines c and their Gram matrix G, at
  the cost 1 − (c − λ/2)ᵀ z; else by the nearer one alone, at 1 − (max c − λ/2)².
  """
  spacing = 2 * np.pi / n_latents
  angle = np.linspace(0, spacing, ANGLES)
  a, b = np.cos(angle) - penalty / 2, np.cos(spacing - angle) - penalty / 2
  g = np.cos(spacing)
  # Both neighbours, where their codes are positive.
  first, second = (a - g * b) / (1 - g**2), (b - g * a) / (1 - g**2)
  both = (first > 0) & (second > 0)
  alone = 1 - np.maximum(np.maximum(a, b), 0) ** 2
  cost = np.where(both, 1 - (a * first + b * second), alone)
  return float(np.trapezoid(cost, angle) / spacing)


def limit(penalty: float) -> float:
  """Returns λ − λ²/4, the cost with a direction at every angle."""
  return penalty - penalty**2 / 4
