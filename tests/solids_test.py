"""Polytopes as matrices: directions, sums and edges."""

import numpy as np
import pytest

from toy_superposition.geometry import components
from toy_superposition.theory import polytopes


@pytest.mark.parametrize("n", [2, 3, 4, 7])
def test_orthogonal_to_ones_alone_it_is_the_simplex(n):
  W = polytopes.orthogonal_to(np.ones((1, n)))
  assert W.shape == (n - 1, n)
  np.testing.assert_allclose(W.sum(axis=1), 0, atol=1e-12)
  np.testing.assert_allclose(W.T @ W, (1 + 1 / (n - 1)) * np.eye(n) - 1 / (n - 1), atol=1e-12)


def test_a_matrix_gives_directions_back_up_to_rotation_and_only_if_semidefinite():
  W = np.random.default_rng(1).normal(size=(3, 6))
  recovered = polytopes.directions(W.T @ W)
  assert recovered.shape == W.shape
  np.testing.assert_allclose(recovered.T @ recovered, W.T @ W, atol=1e-12)
  with pytest.raises(ValueError, match="eigenvalue"):
    polytopes.directions(np.diag([1.0, -0.1]))


def test_parts_of_a_direct_sum_are_orthogonal_and_unchanged():
  a, b = components.polygon(5), components.simplex(1)
  W = polytopes.direct_sum(a, b)
  assert W.shape == (3, 7)
  np.testing.assert_array_equal(W[:2, :5], a)
  np.testing.assert_array_equal(W[:, :5].T @ W[:, 5:], 0)


CUBE = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).astype(float)
FLAT = np.concatenate([components.polygon(5), np.zeros((1, 5))])


@pytest.mark.parametrize(
  ("points", "n_edges"),
  [
    (np.array([[1.0, -1], [0, 0], [0, 0]]), 1),
    (FLAT, 5),
    (components.simplex(3), 6),
    (CUBE, 12),  # no diagonals
    (components.square_antiprism(), 16),
  ],
)
def test_a_hull_has_the_solid_s_edges(points, n_edges):
  rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
  edges = polytopes.edges(rotation @ points)
  assert len(edges) == n_edges
  lengths = np.linalg.norm(points[:, edges[:, 0]] - points[:, edges[:, 1]], axis=0)
  assert np.ptp(lengths) < 0.2  # of all these solids; diagonals are much longer
