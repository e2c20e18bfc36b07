"""The energy of interference: what remains of the loss for unit vectors without biases.

Paper, section "Mathematical Understanding": if one feature is active at a time and all features are
equally important, with norm 1 and no bias, the loss is a sum over pairs of ReLU(cos)², a
generalised Thomson problem. It is 0 if no two features have a positive inner product, which is
possible for up to 2m features in m dimensions.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

N_STARTS = 12
# (dimensions, features) → minimum energy, independently verified.
MINIMA = {
  (2, 4): 0.0,
  (2, 5): 0.95492,
  (2, 6): 3.0,
  (3, 6): 0.0,
  (3, 7): 0.95492,
  (3, 8): 2.0438,
}


class Arrangement(NamedTuple):
  """Unit vectors and their energy."""

  energy: float
  vectors: Float[np.ndarray, "hidden feature"]


def energy(vectors: Float[np.ndarray, "hidden feature"]) -> float:
  """Returns Σ_{i≠j} ReLU(cos)² over ordered pairs, whatever the vectors' lengths."""
  return _energy_and_gradient(vectors.ravel(), vectors.shape)[0]


def _energy_and_gradient(flat: np.ndarray, shape: tuple[int, ...]) -> tuple[float, np.ndarray]:
  vectors = flat.reshape(shape)
  norm = np.linalg.norm(vectors, axis=0)
  unit = vectors / norm
  positive = np.maximum(unit.T @ unit, 0)
  np.fill_diagonal(positive, 0)
  downhill = 4 * unit @ positive
  tangent = downhill - unit * (unit * downhill).sum(axis=0)  # lengths do not matter
  return float((positive**2).sum()), (tangent / norm).ravel()


def minimum_energy(*, n_hidden: int, n_features: int, n_starts: int = N_STARTS) -> Arrangement:
  """Returns the arrangement of minimum energy among descents from the same random starts.

  Args:
    n_hidden: dimensions.
    n_features: vectors.
    n_starts: number of starts.
  """
  from scipy.optimize import minimize

  rng = np.random.default_rng(0)
  shape = (n_hidden, n_features)
  descents = [
    minimize(
      _energy_and_gradient, rng.normal(size=shape).ravel(), (shape,), method="BFGS", jac=True
    )
    for _ in range(n_starts)
  ]
  best = min(descents, key=lambda descent: descent.fun)
  vectors = best.x.reshape(shape)
  return Arrangement(float(best.fun), vectors / np.linalg.norm(vectors, axis=0))
