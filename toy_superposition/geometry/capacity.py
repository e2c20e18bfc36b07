"""How much of the hidden space a feature has, by two definitions from elsewhere.

For a feature's dimensionality D_i see geometry/features.py.
"""

import numpy as np
from jaxtyping import Float

Model = Float[np.ndarray, "*model hidden feature"]
PerFeature = Float[np.ndarray, "*model feature"]

RANK = 1e-6  # singular values below this share of the largest do not count


def capacities(W: Model) -> PerFeature:
  """Returns C_i = (W_i · W_i)² / Σ_j (W_i · W_j)², and 0 where W_i is 0 (Scherlis et al.,
  "Polysemanticity and Capacity in Neural Networks", 2022)."""
  own = (W**2).sum(axis=-2) ** 2
  squared = (W * (W @ np.swapaxes(W, -1, -2) @ W)).sum(axis=-2)
  return own / np.where(squared > 0, squared, 1)


def leverages(W: Model) -> tuple[PerFeature, Float[np.ndarray, "*model"]]:
  """Returns the leverage scores h_i = (W⁺W)_ii, and the condition of WWᵀ.

  Leverage scores add up to the rank of W. They are D_i if WWᵀ is a multiple of the identity (F.
  Zhang's comment on the paper). Otherwise D_i ≤ h_i ≤ D_i (κ + 1)² / 4κ with the condition κ, the
  inequalities of Cauchy and Kantorovich. Both are nan for a model that is not finite.
  """
  finite = np.isfinite(W).all(axis=(-2, -1))
  _, singular, right = np.linalg.svd(np.where(finite[..., None, None], W, 0), full_matrices=False)
  counted = singular > RANK * singular[..., :1]
  scores = (np.where(counted[..., None], right, 0) ** 2).sum(axis=-2)
  smallest = np.where(counted, singular, np.inf).min(axis=-1)
  condition = np.where(counted.any(axis=-1), (singular[..., 0] / smallest) ** 2, 1)
  return np.where(finite[..., None], scores, np.nan), np.where(finite, condition, np.nan)
