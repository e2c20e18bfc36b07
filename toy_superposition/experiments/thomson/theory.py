"""Thomson's problem: unit charges on a sphere, as far from each other as they can be.

Paper, section "The Geometry of Superposition": features in superposition repel each other like
charges, and several of the solids that features form are minima of this energy.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Points = Float[np.ndarray, "axis point"]
GRADIENT = 1e-9  # a descent ends where no component of the gradient is larger


class Minima(NamedTuple):
  """Local minima found from several starts."""

  points: Float[np.ndarray, "start axis point"]
  energy: Float[np.ndarray, "start"]

  @property
  def best(self) -> Points:
    """The points of least energy."""
    return self.points[np.argmin(self.energy)]


def energy(points: Points) -> float:
  """Returns Σ_{i<j} 1 / ‖x_i − x_j‖, Coulomb's energy of unit charges."""
  i, j = np.triu_indices(points.shape[1], 1)
  return float(np.sum(1 / np.linalg.norm(points[:, i] - points[:, j], axis=0)))


def minima(n_points: int, n_starts: int, n_axes: int = 3, seed: int = 0) -> Minima:
  """Returns the minima of the energy on the unit sphere that random starts descend to."""
  from scipy import optimize

  rng = np.random.default_rng(seed)
  shape = (n_axes, n_points)

  def value_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
    free = flat.reshape(shape)
    norm = np.linalg.norm(free, axis=0)
    x = free / norm
    apart = x[:, :, None] - x[:, None, :]
    # A point is infinitely far from itself: it does not repel itself.
    distance = np.linalg.norm(apart, axis=0) + np.diag(np.full(n_points, np.inf))
    gradient = -np.sum(apart / distance**3, axis=2)
    # Along the radius nothing changes: points are brought back to the sphere.
    gradient = (gradient - x * np.sum(gradient * x, axis=0)) / norm
    return float(np.sum(1 / distance) / 2), gradient.ravel()

  points, energies = np.empty((n_starts, *shape)), np.empty(n_starts)
  for k in range(n_starts):
    start = rng.normal(size=shape).ravel()
    found = optimize.minimize(
      value_and_gradient, start, jac=True, method="BFGS", options={"gtol": GRADIENT}
    )
    free = found.x.reshape(shape)
    points[k] = free / np.linalg.norm(free, axis=0)
    energies[k] = energy(points[k])
  return Minima(points, energies)
