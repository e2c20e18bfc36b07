"""Components and orientation: exact frames are recognised under rotation, permutation and noise."""

import numpy as np
import pytest

from toy_superposition.geometry import components as module
from toy_superposition.geometry.components import IDEALS, components, tegum
from toy_superposition.geometry.orientation import angles, gaps, oriented

DIMENSIONALITY = {
  "dedicated": 1,
  "digon": 1 / 2,
  "triangle": 2 / 3,
  "tetrahedron": 3 / 4,
  "pentagon": 2 / 5,
  "hexagon": 2 / 6,
  "heptagon": 2 / 7,
  "square antiprism": 3 / 8,
  **{f"{d}-simplex": d / (d + 1) for d in range(4, 9)},
}


def rotation(n, rng):
  return np.linalg.qr(rng.normal(size=(n, n)))[0]


def direct_sum(names, rng, noise=0.01, n_absent=3):
  """Returns the ideals in orthogonal subspaces, rotated, permuted, with noise and with features
  that are not represented."""
  rank, n = (sum(IDEALS[name].shape[k] for name in names) for k in (0, 1))
  W, row, column = np.zeros((rank, n + n_absent)), 0, 0
  for name in names:
    block = IDEALS[name]
    W[row : row + block.shape[0], column : column + block.shape[1]] = block
    row, column = row + block.shape[0], column + block.shape[1]
  W = rotation(rank, rng) @ W + noise * rng.normal(size=W.shape) / rank**0.5
  return W[:, rng.permutation(W.shape[1])]


@pytest.mark.parametrize("name", IDEALS)
def test_an_ideal_frame_is_recognised_alone_and_has_its_dimensionality(name):
  rng = np.random.default_rng(0)
  (component,) = components(direct_sum([name], rng, noise=0.005))
  assert component.name == name
  assert component.rank == IDEALS[name].shape[0]
  assert component.deviation < 0.05
  exact = components(direct_sum([name], rng, noise=0))[0]
  np.testing.assert_allclose(exact.dimensionality, DIMENSIONALITY[name], atol=1e-6)
  assert exact.deviation == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
  "names",
  [
    ["digon", "digon", "digon"],
    ["digon", "triangle"],
    ["digon", "pentagon"],
    ["dedicated", "digon", "triangle", "tetrahedron"],
    ["square antiprism", "pentagon", "pentagon", "digon", "dedicated", "dedicated"],
    ["4-simplex", "hexagon", "digon"],
  ],
)
def test_direct_sums_fall_into_their_parts_under_noise_rotation_and_permutation(names, seed):
  W = direct_sum(names, np.random.default_rng(seed))
  parts = components(W)
  assert sorted(part.name for part in parts) == sorted(names)
  assert sum(part.rank for part in parts) == W.shape[0]
  members = np.concatenate([part.features for part in parts])
  assert len(set(members.tolist())) == len(members) == sum(IDEALS[n].shape[1] for n in names)


def test_a_component_unlike_every_ideal_is_unknown():
  rng = np.random.default_rng(0)
  W = rng.normal(size=(3, 6))
  W /= np.linalg.norm(W, axis=0)
  assert {c.name for c in components(W)} == {"unknown"}
  assert np.isnan(components(W)[0].deviation)


def test_without_represented_features_there_are_no_components():
  assert components(np.zeros((2, 5))) == []
  assert components(0.4 * np.eye(3)) == []


def test_solids_that_are_direct_sums_have_their_names():
  assert tegum(["triangle", "digon"]) == "triangular bipyramid"
  assert tegum(["digon"] * 3) == "octahedron"
  assert tegum(["pentagon", "digon"]) == "pentagonal bipyramid"
  assert tegum(["tetrahedron"]) == "tetrahedron"
  assert tegum(["triangle", "triangle"]) == "triangle ⊕ triangle"


def test_the_threshold_lies_in_the_widest_gap_and_within_its_bounds():
  cosine = np.eye(4)
  cosine[0, 1] = cosine[1, 0] = -0.3
  cosine[2, 3] = cosine[3, 2] = 0.05
  assert 0.05 < module.threshold(cosine) < 0.3
  low, high = module.NOISE
  assert low < module.threshold(np.eye(4)) < high


@pytest.mark.parametrize("m", [2, 3, 5])
def test_orientation_keeps_inner_products_and_removes_rotation_and_reflection(m):
  rng = np.random.default_rng(m)
  W = rng.normal(size=(m, 7))
  turned = oriented(W)
  np.testing.assert_allclose(turned.T @ turned, W.T @ W, atol=1e-9)
  np.testing.assert_allclose(oriented(rotation(m, rng) @ W), turned, atol=1e-9)
  mirror = np.diag([-1.0, *np.ones(m - 1)])
  np.testing.assert_allclose(oriented(mirror @ W), turned, atol=1e-9)
  assert turned[0, 0] > 0
  np.testing.assert_allclose(turned[1:, 0], 0, atol=1e-9)


def test_orientation_skips_features_that_are_absent_and_directions_that_repeat():
  W = np.array([[0.0, 0.0, 0.0, 1.0], [0.0, 1.0, -1.0, 0.0]])
  np.testing.assert_allclose(oriented(W), [[0, 1, -1, 0], [0, 0, 0, 1]], atol=1e-12)
  np.testing.assert_allclose(oriented(np.zeros((2, 3))), 0)


def test_gaps_of_a_regular_polygon_are_equal_and_fill_the_circle():
  W = module.polygon(5)[:, [2, 0, 4, 1, 3]]
  np.testing.assert_allclose(gaps(W), 72)
  np.testing.assert_allclose(sorted(angles(W)), 72 * np.arange(5), atol=1e-9)
