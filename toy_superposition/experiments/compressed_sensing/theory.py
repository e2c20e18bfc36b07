"""Almost orthogonal directions: how many fit into d dimensions.

Paper, section "What Do We Mean by Features, Directions" on the Johnson–Lindenstrauss lemma.
"""

import math

import numpy as np
from jaxtyping import Float

# Exponents q that approximate the largest |cos|, each descent starting from the previous solution.
POWERS = (4, 16, 64)
N_ITERATIONS = 100  # maximum of each descent


def coherence(W: Float[np.ndarray, "hidden feature"]) -> float:
  """Returns the largest |cos| between two directions."""
  unit = W / np.linalg.norm(W, axis=0)
  return float(np.max(np.abs(unit.T @ unit - np.eye(W.shape[1]))))


def welch(*, n_vectors: int, n_dimensions: int) -> float:
  """Returns a lower bound on the coherence of n vectors in d dimensions.

  It is the larger of Welch's bounds of first and second order, and 0 for n ≤ d.
  """
  n, d = n_vectors, n_dimensions
  if n <= d:
    return 0.0
  first = (n / d - 1) / (n - 1)
  second = max(0.0, 3 * n / (d * (d + 2)) - 1) / (n - 1)
  return max(first**0.5, second**0.25)


def johnson_lindenstrauss(largest: float, n_dimensions: int) -> float:
  """Returns a number of vectors that certainly fit with all |cos| below `largest`: exp(d c² / 4).

  Two random directions have |cos| ≥ c with a probability below 2 exp(−d c² / 2), so all pairs of
  exp(d c² / 4) random directions are below c with positive probability.
  """
  return math.exp(n_dimensions * largest**2 / 4)


def spread_out(*, n_vectors: int, n_dimensions: int, seed: int = 0) -> Float[np.ndarray, "d n"]:
  """Returns unit vectors whose largest |cos| is small: a local minimum found by descent.

  The vectors are columns. The largest |cos| is approximated by the norm (Σ |cos|^2q)^(1/2q) with
  growing q.
  """
  from scipy import optimize

  V = np.random.default_rng(seed).normal(size=(n_dimensions, n_vectors))

  def value_and_gradient(flat: np.ndarray, power: int) -> tuple[float, np.ndarray]:
    free = flat.reshape(V.shape)
    norm = np.linalg.norm(free, axis=0)
    U = free / norm
    # Without BLAS, whose threads wait for each other on matrices as small as these.
    cosine = np.einsum("di,dj->ij", U, U)
    np.fill_diagonal(cosine, 0)
    largest = np.abs(cosine).max()
    ratio = cosine / largest
    total = np.sum(ratio ** (2 * power))
    slope = ratio ** (2 * power - 1) / (total * largest)
    gradient = 2 * np.einsum("di,ij->dj", U, slope)
    gradient = (gradient - U * np.sum(gradient * U, axis=0)) / norm
    return float(np.log(largest) + np.log(total) / (2 * power)), gradient.ravel()

  for power in POWERS:
    result = optimize.minimize(
      value_and_gradient,
      V.ravel(),
      args=(power,),
      jac=True,
      method="CG",
      options={"maxiter": N_ITERATIONS},
    )
    V = result.x.reshape(V.shape)
  return V / np.linalg.norm(V, axis=0)


def most_within(largest: float, n_dimensions: int, growth: float = 1.1) -> int:
  """Returns how many vectors a search fits into d dimensions with all |cos| up to `largest`.

  The search increases the number by the factor `growth`, at least by one, until they do not fit.
  """
  fitting = n_dimensions
  while True:
    more = max(fitting + 1, int(fitting * growth))
    if coherence(spread_out(n_vectors=more, n_dimensions=n_dimensions)) > largest + 1e-3:
      return fitting
    fitting = more
