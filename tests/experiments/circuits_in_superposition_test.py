"""Circuits in superposition: the plane, derived overlaps, steps and networks by hand, verdicts."""

import numpy as np
import pytest
import xarray as xr

from configs import circuits_in_superposition as settings
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.circuits_in_superposition import (
  EXPERIMENT,
  analysis,
  figure,
  theory,
)
from toy_superposition.experiments.circuits_in_superposition.claims import tail
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  IDENTITY,
  REPORTED,
  UNDECIDED,
)


def rng() -> np.random.Generator:
  return np.random.default_rng(0)


@pytest.mark.parametrize(("n_blocks", "n_own"), [(250, 6), (100, 4), (30, 2)])
def test_any_two_lines_share_at_most_one_block_and_meet_as_often_as_derived(n_blocks, n_own):
  n = theory.n_lines(n_blocks, n_own)
  assert n <= theory.most_circuits(n_blocks, n_own)
  blocks = theory.lines(rng(), n_circuits=n, n_blocks=n_blocks, n_own=n_own)
  assert blocks.shape == (n, n_own)
  assert blocks.min() >= 0 and blocks.max() < n_blocks
  assert (theory.owners(blocks, n_blocks).toarray().sum(axis=1) == n_own).all()
  meet, square, most = theory.overlap(blocks, n_blocks)
  assert most == 1
  # All lines of the plane: exactly.
  assert meet == pytest.approx(theory.meeting(n_blocks, n_own), rel=1e-6)
  assert square == pytest.approx(meet / n_own**2, rel=1e-5)


def test_the_published_sizes():
  assert (theory.prime(41), theory.prime(42), theory.prime(2)) == (41, 41, 2)
  assert theory.n_lines(250, 6) == 1681 and theory.most_circuits(250, 6) == 2075


def test_an_inactive_circuit_reads_what_is_derived():
  for z in (1, 3):
    on = theory.active(rng(), n_examples=100, n_circuits=557, n_active=z)
    assert (on.sum(axis=1) == z).all()
    matrix = theory.owners(theory.lines(rng(), n_circuits=557, n_blocks=250, n_own=6), 250)
    read = theory.read(matrix, theory.written(matrix, on))
    dense = matrix.toarray()
    np.testing.assert_allclose(read, (on @ dense) @ dense.T / 6, atol=1e-6)
    assert (read[on == 0] ** 2).mean() ** 0.5 == pytest.approx(theory.read_out(250, 6, z), rel=0.03)
    assert read[on == 1].min() >= 1 - 1e-6 and read[on == 0].max() <= z / 6 + 1e-6


def test_steps_make_no_error_up_to_half_the_blocks_and_independent_ones_beyond():
  def wrong(z: int) -> np.ndarray:
    on = theory.active(rng(), n_examples=100, n_circuits=557, n_active=z)
    return theory.stepped(rng(), on, n_blocks=250, n_own=6, n_layers=1)

  assert not wrong(1).any() and not wrong(3).any()
  assert wrong(5)[0] == pytest.approx(tail(5, 4, theory.meeting(250, 6)), rel=0.3)


def test_circuits_that_do_not_meet_pass_through_every_network_without_an_error():
  on = np.array([[1, 0], [0, 1]], np.float32)  # of 113² lines: two hardly ever meet
  for step in (True, False):
    errors = theory.propagated(
      rng(), on, n_blocks=226, n_own=2, n_layers=3, step=step, inhibition=False
    )
    assert errors.shape == (2, 4) and errors.max() < 1e-5


@pytest.fixture(scope="module")
def found() -> xr.Dataset:
  patch = pytest.MonkeyPatch()
  patch.setattr(analysis, "N_EXAMPLES", 4)
  patch.setattr(analysis, "N_STEPPED", 4)
  patch.setattr(analysis, "ACTIVE", (1,))
  patch.setattr(analysis, "PARTS", (8, 1))
  patch.setattr(analysis, "STEP_ACTIVE", (2, 3, 6))
  patch.setattr(analysis, "SIZES", (4, 6))
  dataset = datasets.dataset(W=np.zeros((1, 557)), axes={"restart": list(range(5))}, measured=())
  made = EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)
  patch.undo()
  return made


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


def test_the_construction_confirms_every_derivation(found):
  rows = verdicts(found)
  assert rows[:4] == [IDENTITY] * 4
  assert rows[4] == REPORTED
  assert rows[6:] == [CONFIRMED, REPORTED, REPORTED, CONFIRMED]
  assert len(figure.draw(found).axes) == 8


def test_errors_that_do_not_grow_contradict_and_few_seeds_decide_nothing(found):
  small = found.assign(off_error=found["off_error"] * 0 + 0.01)
  assert verdicts(small)[6] == verdicts(small)[9] == CONTRADICTED
  wrong = found.assign(wrong=found["wrong"] + 0.1)
  assert verdicts(wrong)[3] == CONTRADICTED
  few = verdicts(found.isel(restart=slice(0, 2)))
  assert few[6] == few[9] == UNDECIDED


@pytest.mark.parametrize(
  ("field", "value"),
  [("train.steps", 10), ("model.n_hidden", 2), ("model.n_features", 2000)],
)
def test_other_networks_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)
