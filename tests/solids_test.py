"""Thomson's problem, polytopes as matrices, and what the analysis says about them."""

import numpy as np
import pytest
import xarray as xr

from configs import thomson as thomson_config
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED
from toy_superposition.experiments.thomson import claims as analysis
from toy_superposition.experiments.thomson import figure
from toy_superposition.experiments.thomson import theory as thomson
from toy_superposition.geometry import components
from toy_superposition.theory import polytopes


@pytest.fixture(scope="module")
def made() -> xr.Dataset:
  mesh = meshes.make_mesh(setup.devices(1))
  return analysis.run(xr.Dataset(coords={"start": np.arange(3)}), mesh, 2**30)


def test_the_energy_of_two_opposite_charges_is_a_half_and_of_an_octahedron_its_closed_form():
  assert thomson.energy(np.array([[1.0, -1], [0, 0], [0, 0]])) == pytest.approx(0.5)
  octahedron = np.concatenate([np.eye(3), -np.eye(3)], axis=1)
  assert thomson.energy(octahedron) == pytest.approx(12 / 2**0.5 + 3 / 2)


def test_a_minimum_lies_on_the_sphere_and_no_small_move_lowers_it():
  found = thomson.minima(5, 2)
  np.testing.assert_allclose(np.linalg.norm(found.points, axis=1), 1)
  rng = np.random.default_rng(0)
  for _ in range(20):
    moved = found.best + 0.03 * rng.normal(size=(3, 5))
    assert thomson.energy(moved / np.linalg.norm(moved, axis=0)) > found.energy.min()


@pytest.mark.parametrize("n", [2, 3, 4, 7])
def test_orthogonal_to_ones_alone_it_is_the_simplex(n):
  W = polytopes.orthogonal_to(np.ones((1, n)))
  assert W.shape == (n - 1, n)
  np.testing.assert_allclose(W.sum(axis=1), 0, atol=1e-12)
  np.testing.assert_allclose(W.T @ W, (1 + 1 / (n - 1)) * np.eye(n) - 1 / (n - 1), atol=1e-12)


def test_a_matrix_gives_directions_back_up_to_rotation_and_only_if_semidefinite():
  W = np.random.default_rng(1).normal(size=(3, 6))
  again = polytopes.directions(W.T @ W)
  assert again.shape == W.shape
  np.testing.assert_allclose(again.T @ again, W.T @ W, atol=1e-12)
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


def test_what_is_known_of_the_solids_is_confirmed(made):
  rows = analysis.claims(made)
  assert {row.verdict for row in rows[:-1]} == {CONFIRMED}
  assert figure.draw(made).subfigs


@pytest.mark.parametrize(
  ("name", "row"), [("thomson_energy", 0), ("thomson_dimensionality", 2), ("polytope_gram", 4)]
)
def test_numbers_that_are_a_little_off_contradict(made, name, row):
  assert analysis.claims(made.assign({name: made[name] * 1.001}))[row].verdict == CONTRADICTED


def test_solids_of_another_name_contradict(made):
  for name, row in (("thomson_solid", 1), ("polytope_solid", 5)):
    wrong = made.assign({name: made[name].isel({made[name].dims[0]: slice(None, None, -1)})})
    wrong[name].values[:] = made[name].values[::-1]
    assert analysis.claims(wrong)[row].verdict == CONTRADICTED


def test_training_is_refused():
  changed = thomson_config.get_config()
  changed.train.steps = 5
  with pytest.raises(UserError, match="steps"):
    config.resolve(changed)
