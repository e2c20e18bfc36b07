"""Geometric components of a trained model, and their names.

Paper, section "The Geometry of Superposition": features organise themselves into groups that are
orthogonal to each other, each a small polytope in a subspace of its own. Groups are the connected
components of the graph whose edges are non-zero inner products. A bipyramid is the direct sum of
two groups, and is named by `tegum`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from toy_superposition.geometry.definitions import is_represented

NOISE = (0.02, 0.35)  # bounds of the threshold on |cos|
ACCEPTED = 0.1  # maximum difference of a cosine from the ideal frame's that a name allows
SINGULAR = 0.15  # singular values below this share of the largest do not count as a dimension


class Component(NamedTuple):
  """Features that share dimensions with each other and with no others."""

  name: str  # of the nearest ideal frame, or "unknown"
  features: Int[np.ndarray, "member"]  # ascending
  rank: int  # dimension of the subspace spanned
  dimensionality: Float[np.ndarray, "member"]  # D_i
  deviation: float  # maximum difference of the sorted cosines from the ideal's; nan if unknown


def simplex(rank: int) -> Float[np.ndarray, "rank vertex"]:
  """Returns the rank + 1 vertices of a regular simplex, of norm 1."""
  n = rank + 1
  centred = np.eye(n) - 1 / n
  _, _, right = np.linalg.svd(centred)
  vertices = right[:rank] @ centred
  return vertices / np.linalg.norm(vertices, axis=0)


def polygon(n: int) -> Float[np.ndarray, "2 vertex"]:
  """Returns the n vertices of a regular polygon, of norm 1."""
  turn = 2 * np.pi * np.arange(n) / n
  return np.array([np.cos(turn), np.sin(turn)])


def square_antiprism(height: float = 3**-0.5) -> Float[np.ndarray, "3 vertex"]:
  """Returns the eight vertices of a square antiprism, of norm 1, at ± `height`.

  At height 1/√3 it is a tight frame, and each vertex has dimensionality 3/8.
  """
  radius = (1 - height**2) ** 0.5
  turn = np.pi / 2 * np.arange(4)
  top = [radius * np.cos(turn), radius * np.sin(turn), np.full(4, height)]
  bottom = [
    radius * np.cos(turn + np.pi / 4),
    radius * np.sin(turn + np.pi / 4),
    -np.full(4, height),
  ]
  return np.concatenate([top, bottom], axis=1)


IDEALS: dict[str, np.ndarray] = {
  "dedicated": np.ones((1, 1)),
  "digon": simplex(1),
  "triangle": simplex(2),
  "tetrahedron": simplex(3),
  **{f"{rank}-simplex": simplex(rank) for rank in range(4, 9)},
  "pentagon": polygon(5),
  "hexagon": polygon(6),
  "heptagon": polygon(7),
  "square antiprism": square_antiprism(),
}

# Direct sums of components that have a name of their own as solids (paper, same section).
TEGUM: dict[tuple[str, ...], str] = {
  ("digon", "digon"): "square",
  ("digon", "digon", "digon"): "octahedron",
  ("digon", "triangle"): "triangular bipyramid",
  ("digon", "pentagon"): "pentagonal bipyramid",
}


def tegum(names: Sequence[str]) -> str:
  """Returns the name of the solid that orthogonal components form together, or their sum."""
  ordered = tuple(sorted(names))
  return TEGUM.get(ordered, " ⊕ ".join(ordered))


def cosines(W: Float[np.ndarray, "hidden feature"]) -> Float[np.ndarray, "feature feature"]:
  """Returns Ŵ_i · Ŵ_j; 0 where a direction is 0."""
  norm = np.linalg.norm(W, axis=0)
  unit = W / np.where(norm > 0, norm, 1)
  return unit.T @ unit


def singular_values(
  matrices: Float[np.ndarray, "*model row column"],
) -> Float[np.ndarray, "*model value"]:
  """Returns the singular values, largest first; NaN of a matrix that is not finite."""
  finite = np.isfinite(matrices).all(axis=(-2, -1))
  found = np.linalg.svd(np.where(finite[..., None, None], matrices, 0), compute_uv=False)
  return np.where(finite[..., None], found, np.nan)


def threshold(cosine: Float[np.ndarray, "feature feature"]) -> float:
  """Returns the |cos| above which two features interfere: the middle of the widest gap between the
  values within NOISE, on a logarithmic scale."""
  low, high = NOISE
  values = np.abs(cosine[np.triu_indices(len(cosine), 1)])
  values = np.sort(np.concatenate([[low, high], values[(values > low) & (values < high)]]))
  widest = np.argmax(np.diff(np.log(values)))
  return float(np.sqrt(values[widest] * values[widest + 1]))


def components(W: Float[np.ndarray, "hidden feature"], at: float | None = None) -> list[Component]:
  """Returns the components of a model's represented features, largest first.

  Args:
    W: feature directions.
    at: |cos| above which two features share an edge; chosen by `threshold` by default.
  """
  W = np.asarray(W, float)
  chosen = np.flatnonzero(is_represented(W))
  cosine = cosines(W[:, chosen])
  edges = np.abs(cosine) > (threshold(cosine) if at is None else at)
  dimensionality = dimensionalities(W)[chosen]
  named = []
  for members in connected(edges):
    name, rank, deviation = _name(W[:, chosen[members]], cosine[np.ix_(members, members)])
    named.append(Component(name, chosen[members], rank, dimensionality[members], deviation))
  return sorted(named, key=lambda c: (-len(c.features), c.features[0]))


def dimensionalities(
  W: Float[np.ndarray, "*model hidden feature"],
) -> Float[np.ndarray, "*model feature"]:
  """Returns D_i of models with leading axes: features.feature_dimensionality in numpy."""
  norm = np.linalg.norm(W, axis=-2)
  unit = W / np.where(norm > 0, norm, 1)[..., None, :]
  squared = ((np.swapaxes(unit, -1, -2) @ W) ** 2).sum(axis=-1)
  return norm**2 / np.where(squared > 0, squared, 1)


def connected(edges: Bool[np.ndarray, "node node"]) -> list[Int[np.ndarray, "member"]]:
  """Returns the members of each connected component of a graph, ascending; components are in the
  order of their smallest members."""
  from scipy.sparse import csgraph  # takes half a second to import

  n_components, label = csgraph.connected_components(edges, directed=False)
  return [np.flatnonzero(label == k) for k in range(n_components)]


def rank_of(W: Float[np.ndarray, "hidden member"]) -> int:
  """Returns the dimension of the subspace that features span, but for noise."""
  singular = np.linalg.svd(W, compute_uv=False)
  return int((singular > SINGULAR * singular[0]).sum())


def _name(
  W: Float[np.ndarray, "hidden member"], cosine: Float[np.ndarray, "member member"]
) -> tuple[str, int, float]:
  """Returns the name of the ideal with the same count, rank and cosines; rank; deviation."""
  rank = rank_of(W)
  for name, ideal in IDEALS.items():
    if ideal.shape == (rank, W.shape[1]):
      pairs = np.triu_indices(len(cosine), 1)
      difference = np.sort(cosines(ideal)[pairs]) - np.sort(cosine[pairs])
      deviation = float(np.max(np.abs(difference), initial=0))
      if deviation <= ACCEPTED:
        return name, rank, deviation
  return "unknown", rank, float("nan")
