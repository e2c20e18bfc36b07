"""Principal component analysis (PCA) of correlated pairs, and the collapsed pairs of the paper.

Paper, section "Collapsing of Correlated Features": where features are not sparse enough for
superposition, a correlated pair is represented by its mean, as PCA does.
"""

import numpy as np
from jaxtyping import Float

# (lowest, highest density) → number of pairs that are collapsed in the paper. It assigns nothing to
# .2 to .25, and calls p ≥ .5 "most PCA-like".
PAPER_BANDS: dict[tuple[float, float], int] = {
  (0.0, 0.05): 0,
  (0.05, 0.15): 1,
  (0.15, 0.2): 2,
  (0.25, 0.5): 3,
}
COLLAPSED_NORM = 0.5**0.5  # norm of both columns of a pair that stores (a + b)/√2


def pca_loss(
  density: Float[np.ndarray, "density"], n_pairs: int, n_hidden: int
) -> Float[np.ndarray, "density"]:
  """Returns the lowest loss of a linear model on correlated pairs, summed over features.

  Values are uniform on [0, 1) where active, so each has the variance p/3 − p²/4, and the members of
  a pair the covariance (p − p²)/4. Sums of pairs are principal components, of variance
  7p/12 − p²/2.

  Args:
    density: p, the probability that a pair is active.
    n_pairs: number of pairs, independent of each other.
    n_hidden: number of principal components that are kept.
  """
  total = 2 * n_pairs * (density / 3 - density**2 / 4)
  along = 7 * density / 12 - density**2 / 2  # of (a + b)/√2
  between = density / 12  # of (a − b)/√2
  first = min(n_hidden, n_pairs)
  return total - first * along - (n_hidden - first) * between
