"""Polytopes as matrices: directions W, their inner products WᵀW, and sums of orthogonal solids.

Paper, section "The Geometry of Superposition", aside "Polytopes and Low-Rank Matrices": n vertices
in m dimensions are, up to rotation, a positive semidefinite n × n matrix of rank m.
"""

import numpy as np
from jaxtyping import Float, Int

Directions = Float[np.ndarray, "hidden feature"]
Gram = Float[np.ndarray, "feature feature"]
ROUND_OFF = 1e-9  # of float64, relative: below it a singular or an eigenvalue is 0


def orthogonal_to(vectors: Float[np.ndarray, "vector feature"]) -> Directions:
  """Returns unit directions whose rows are orthogonal to the vectors: W v = 0 for each.

  The basis vectors of feature space, projected onto the vectors' orthogonal complement and
  normalised. To (1, …, 1) alone they make the regular simplex.
  """
  _, singular, right = np.linalg.svd(np.atleast_2d(vectors), full_matrices=True)
  rank = int(np.sum(singular > ROUND_OFF * singular[0]))
  W = right[rank:]
  return W / np.linalg.norm(W, axis=0)


def directions(gram: Gram) -> Directions:
  """Returns W of full row rank with WᵀW = `gram`; any other is a rotation of it.

  Raises:
    ValueError: the matrix is not positive semidefinite, and so is no WᵀW.
  """
  values, vectors = np.linalg.eigh(gram)
  if values[0] < -ROUND_OFF * values[-1]:
    raise ValueError(f"polytopes: an eigenvalue is {values[0]:.3g}; those of WᵀW are not negative")
  kept = values > ROUND_OFF * values[-1]
  return np.sqrt(values[kept])[:, None] * vectors[:, kept].T


def direct_sum(*parts: Float[np.ndarray, "_ _"]) -> Directions:
  """Returns the tegum product: solids put into dimensions of their own, centres together."""
  shape = np.sum([part.shape for part in parts], axis=0)
  W = np.zeros(tuple(shape))
  row = column = 0
  for part in parts:
    W[row : row + part.shape[0], column : column + part.shape[1]] = part
    row, column = row + part.shape[0], column + part.shape[1]
  return W


def edges(points: Float[np.ndarray, "3 point"]) -> Int[np.ndarray, "edge 2"]:
  """Returns the edges of the points' convex hull, all of them on it, as pairs of their numbers.

  Points in a plane, or on a line, are vertices of a polygon, or a segment.
  """
  from scipy.spatial import ConvexHull

  centred = points - points.mean(axis=1, keepdims=True)
  left, singular, _ = np.linalg.svd(centred, full_matrices=False)
  rank = int(np.sum(singular > 1e-6 * singular[0]))
  if rank == 1:
    return np.array([[np.argmin(left[:, 0] @ centred), np.argmax(left[:, 0] @ centred)]])
  hull = ConvexHull((left[:, :rank].T @ centred).T)
  if rank == 2:
    return np.sort(hull.simplices, axis=1)
  # An edge between triangles that lie in one plane is none of the solid's.
  found: dict[tuple[int, int], list[np.ndarray]] = {}
  for triangle, plane in zip(hull.simplices, hull.equations, strict=True):
    for i, j in ((0, 1), (0, 2), (1, 2)):
      pair = (int(min(triangle[i], triangle[j])), int(max(triangle[i], triangle[j])))
      found.setdefault(pair, []).append(plane[:-1])
  real = [pair for pair, (one, other) in sorted(found.items()) if one @ other < 1 - 1e-6]
  return np.array(real)
