"""The minima of Thomson's problem, and polytopes made of what their directions are orthogonal to.

Paper, section "The Geometry of Superposition". Nothing is trained.
"""

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from toy_superposition.experiments.thomson import theory
from toy_superposition.geometry import components, features
from toy_superposition.theory import polytopes

if TYPE_CHECKING:
  import xarray as xr

MAX_VERTICES = 8  # charges, or vertices of a polytope; results of fewer are filled with nan
_TURN = 2 * np.pi * np.arange(5) / 5
_PENTAGON = np.stack([np.ones(5), np.cos(2 * _TURN), np.sin(2 * _TURN)])
# Polytope → vectors that W is orthogonal to: the paper's table, and solids of the minima.
ORTHOGONAL_TO: dict[str, np.ndarray] = {
  "digon": np.ones((1, 2)),
  "triangle": np.ones((1, 3)),
  "tetrahedron": np.ones((1, 4)),
  "square": np.array([[1.0, 0, 1, 0], [0, 1, 0, 1]]),
  "pentagon": _PENTAGON,
  "triangular bipyramid": polytopes.direct_sum(np.ones((1, 3)), np.ones((1, 2))),
  "octahedron": np.kron(np.eye(3), np.ones((1, 2))),
  "pentagonal bipyramid": polytopes.direct_sum(_PENTAGON, np.ones((1, 2))),
}
# Polytope → the polytopes that it is the tegum product of.
FACTORS = {
  "square": ("digon", "digon"),
  "octahedron": ("digon", "digon", "digon"),
  "triangular bipyramid": ("triangle", "digon"),
  "pentagonal bipyramid": ("pentagon", "digon"),
}


def dimensionality(W: Float[np.ndarray, "hidden feature"]) -> Float[np.ndarray, "feature"]:
  """Returns D_i of each column."""
  return np.asarray(features.feature_dimensionality(jnp.asarray(W, jnp.float32)))


def solid(W: Float[np.ndarray, "hidden feature"]) -> str:
  """Returns the name of the solid whose vertices are the columns."""
  return components.tegum([component.name for component in components.components(W)])


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the minima of 2 to 8 charges, one descent per point of the axis
  `start`, and with the polytopes of ORTHOGONAL_TO."""
  del mesh, memory_budget
  return _add_polytopes(_add_minima(dataset))


def _add_minima(dataset: "xr.Dataset") -> "xr.Dataset":
  n_starts = dataset.sizes.get("start", 1)
  charges = list(theory.ENERGIES)
  points = np.full((len(charges), 3, MAX_VERTICES), np.nan)
  D = np.full((len(charges), MAX_VERTICES), np.nan)
  energy = np.empty((len(charges), n_starts))
  names = []
  for k, n in enumerate(charges):
    minima = theory.minima(n, n_starts)
    points[k, :, :n], energy[k] = minima.best, minima.energy
    D[k, :n] = dimensionality(minima.best)
    names.append(solid(minima.best))
  return dataset.assign_coords(charges=charges).assign(
    thomson_energy=(("charges", "descent"), energy, {"long_name": "Σ 1/distance"}),
    thomson_points=(("charges", "axis", "vertex"), points),
    thomson_dimensionality=(("charges", "vertex"), D),
    thomson_solid=("charges", np.array(names)),
  )


def _add_polytopes(dataset: "xr.Dataset") -> "xr.Dataset":
  shape = (len(ORTHOGONAL_TO), MAX_VERTICES)
  gram, D = np.full((*shape, MAX_VERTICES), np.nan), np.full(shape, np.nan)
  rank, names, factors = [], [], np.full(shape, np.nan)
  for k, (name, vectors) in enumerate(ORTHOGONAL_TO.items()):
    W = polytopes.orthogonal_to(vectors)
    n = W.shape[1]
    gram[k, :n, :n] = W.T @ W
    # Rank, D_i and name are those of directions recovered from the matrix alone.
    recovered = polytopes.directions(gram[k, :n, :n])
    rank.append(len(recovered))
    D[k, :n] = dimensionality(recovered)
    names.append(solid(recovered))
    if name in FACTORS:
      of_factors = [polytopes.orthogonal_to(ORTHOGONAL_TO[factor]) for factor in FACTORS[name]]
      factors[k, :n] = np.concatenate([dimensionality(W) for W in of_factors])
  return dataset.assign_coords(polytope=list(ORTHOGONAL_TO)).assign(
    polytope_gram=(("polytope", "vertex", "other_vertex"), gram),
    polytope_rank=("polytope", np.array(rank)),
    polytope_dimensionality=(("polytope", "vertex"), D),
    polytope_factors_dimensionality=(("polytope", "vertex"), factors),
    polytope_solid=("polytope", np.array(names)),
  )
