"""Thomson's problem: its energy and minima, and claims on the known solids."""

import numpy as np
import pytest
import xarray as xr

from configs import thomson
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONTRADICTED, IDENTITY
from toy_superposition.experiments.thomson import EXPERIMENT, figure, theory


@pytest.fixture(scope="module")
def solved() -> xr.Dataset:
  mesh = meshes.make_mesh(setup.devices(1))
  return EXPERIMENT.run(xr.Dataset(coords={"start": np.arange(3)}), mesh, 2**30)


def test_the_energy_of_two_opposite_charges_is_a_half_and_of_an_octahedron_its_closed_form():
  assert theory.energy(np.array([[1.0, -1], [0, 0], [0, 0]])) == pytest.approx(0.5)
  octahedron = np.concatenate([np.eye(3), -np.eye(3)], axis=1)
  assert theory.energy(octahedron) == pytest.approx(12 / 2**0.5 + 3 / 2)


def test_a_minimum_lies_on_the_sphere_and_no_small_move_lowers_it():
  minima = theory.minima(5, 2)
  np.testing.assert_allclose(np.linalg.norm(minima.points, axis=1), 1)
  rng = np.random.default_rng(0)
  for _ in range(20):
    moved = minima.best + 0.03 * rng.normal(size=(3, 5))
    assert theory.energy(moved / np.linalg.norm(moved, axis=0)) > minima.energy.min()


def test_the_known_solids_confirm_every_statement(solved):
  rows = EXPERIMENT.claims(solved)
  assert {row.verdict for row in rows} == {IDENTITY}
  assert figure.draw(solved).subfigs


def verdict(dataset: xr.Dataset, subject: str) -> str:
  """Returns the verdict on the only claim whose statement contains `subject`."""
  (row,) = [row for row in EXPERIMENT.claims(dataset) if subject in row.statement]
  return row.verdict


@pytest.mark.parametrize(
  ("name", "subject"),
  [
    ("thomson_energy", "lowest energies"),
    ("thomson_dimensionality", "feature dimensionalities"),
    ("polytope_gram", "cosines"),
    ("polytope_dimensionality", "tegum product"),
  ],
)
def test_numbers_that_are_a_thousandth_off_contradict_their_claim(solved, name, subject):
  assert verdict(solved.assign({name: solved[name] * 1.001}), subject) == CONTRADICTED


@pytest.mark.parametrize(
  ("name", "subject"),
  [("thomson_solid", "solids that features form"), ("polytope_solid", "recovered")],
)
def test_solids_in_another_order_contradict_their_claim(solved, name, subject):
  reversed_order = solved[name].copy(data=solved[name].values[::-1])
  assert verdict(solved.assign({name: reversed_order}), subject) == CONTRADICTED


def test_the_tight_frame_as_minimum_of_eight_charges_contradicts_its_claim(solved):
  energy = solved["thomson_energy"].where(solved["charges"] != 8, solved["thomson_energy"] + 0.0065)
  assert verdict(solved.assign(thomson_energy=energy), "tight frame") == CONTRADICTED


@pytest.mark.parametrize(("field", "value"), [("steps", 5), ("n_features", 9), ("n_hidden", 2)])
def test_training_and_other_sizes_are_refused(field, value):
  changed = thomson.get_config()
  section = changed.train if field in changed.train else changed.model
  section[field] = value
  with pytest.raises(UserError, match=field):
    resolve(changed)
