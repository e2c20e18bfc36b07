"""Thomson's problem: unit charges on a sphere, as far from each other as they can be.

Paper, section "The Geometry of Superposition": features in superposition repel each other like
charges, and several of the solids that features form are minima of this energy.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Points = Float[np.ndarray, "axis point"]
GRADIENT = 1e-9  # a descent ends where no component of the gradient is larger

# Number of charges → lowest energy known, in units of charge² / radius.
ENERGIES = {
  2: 0.5,
  3: 1.732050808,
  4: 3.674234614,
  5: 6.474691495,
  6: 9.985281374,
  7: 14.452977414,
  8: 19.675287861,
}
# Number of charges → dimensionalities D_i of the points of lowest energy.
DIMENSIONALITIES: dict[int, tuple[float, ...]] = {
  2: (1 / 2,),
  3: (2 / 3,),
  4: (3 / 4,),
  5: (2 / 3, 1 / 2),
  6: (1 / 2,),
  7: (2 / 5, 1 / 2),
  8: (0.3744,),
}
# Number of charges → solid that the points of lowest energy make.
SOLIDS = {
  2: "digon",
  3: "triangle",
  4: "tetrahedron",
  5: "triangular bipyramid",
  6: "octahedron",
  7: "pentagonal bipyramid",
  8: "square antiprism",
}


class Minima(NamedTuple):
  """Local minima found from several starts."""

  points: Float[np.ndarray, "start axis point"]
  energy: Float[np.ndarray, "start"]

  @property
  def best(self) -> Points:
    """The points of lowest energy."""
    return self.points[np.argmin(self.energy)]


def energy(points: Points) -> float:
  """Returns Σ_{i<j} 1 / ‖x_i − x_j‖, the Coulomb energy of unit charges."""
  i, j = np.triu_indices(points.shape[1], 1)
  return float(np.sum(1 / np.linalg.norm(points[:, i] - points[:, j], axis=0)))


def minima(n_points: int, n_starts: int, n_axes: int = 3, seed: int = 0) -> Minima:
  """Returns the minima of the energy on the unit sphere in which random starts end.

  Args:
    n_points: number of charges.
    n_starts: number of descents.
    n_axes: dimensions of the space that holds the sphere.
    seed: of the starts.
  """
  from scipy import optimize  # takes half a second to import

  rng = np.random.default_rng(seed)
  shape = (n_axes, n_points)

  def value_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
    free = flat.reshape(shape)
    norm = np.linalg.norm(free, axis=0)
    x = free / norm
    offset = x[:, :, None] - x[:, None, :]
    # The distance of a point from itself is set to infinity: it does not repel itself.
    distance = np.linalg.norm(offset, axis=0) + np.diag(np.full(n_points, np.inf))
    gradient = -np.sum(offset / distance**3, axis=2)
    # The energy is that of the points projected onto the sphere: constant along each radius.
    gradient = (gradient - x * np.sum(gradient * x, axis=0)) / norm
    return float(np.sum(1 / distance) / 2), gradient.ravel()

  points, energies = np.empty((n_starts, *shape)), np.empty(n_starts)
  for k in range(n_starts):
    start = rng.normal(size=shape).ravel()
    minimum = optimize.minimize(
      value_and_gradient, start, jac=True, method="BFGS", options={"gtol": GRADIENT}
    )
    free = minimum.x.reshape(shape)
    points[k] = free / np.linalg.norm(free, axis=0)
    energies[k] = energy(points[k])
  return Minima(points, energies)
