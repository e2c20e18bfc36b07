"""Local bases: two rotated bases are recognised, and what is not one is contradicted."""

import numpy as np
import pytest
import xarray as xr

from configs import local_bases
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, REPORTED, UNDECIDED
from toy_superposition.experiments.local_bases import figure
from toy_superposition.experiments.local_bases.claims import ANALYSIS
from toy_superposition.geometry.sets import products_between, products_within

M = 10


def bases(rng) -> np.ndarray:
  """Returns an orthonormal basis and minus a rotation of it."""
  return np.concatenate([np.eye(M), -np.linalg.qr(rng.normal(size=(M, M)))[0]], axis=1)


def dataset_of(W: np.ndarray, density=(0.01, 0.05)) -> xr.Dataset:
  stacked = np.tile(W, (len(density), 2, 1, 1))  # density, restart, hidden, feature
  dims = ("density", "restart")
  norm = np.linalg.norm(stacked, axis=2)
  unit = stacked / norm[:, :, None]
  overlap = np.einsum("prhi,prhj->prij", unit, stacked)
  dataset = xr.Dataset(
    {
      "W": ((*dims, "hidden", "feature"), stacked),
      "loss": (dims, np.ones(norm.shape[:2])),
      "finite": (dims, np.ones(norm.shape[:2], np.int8)),
      "feature_norm": ((*dims, "feature"), norm),
      "feature_dimensionality": ((*dims, "feature"), norm**2 / (overlap**2).sum(axis=-1)),
    },
    {"density": list(density)},
  )
  return ANALYSIS.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset):
  return [row.verdict for row in ANALYSIS.claims(dataset) if row.verdict != REPORTED]


def test_blocks_of_a_basis_and_its_rotation():
  W = bases(np.random.default_rng(0))
  np.testing.assert_allclose(products_within(W, M), 0, atol=1e-12)
  np.testing.assert_allclose(np.linalg.svd(products_between(W, M))[1], 1)
  np.testing.assert_allclose(products_between(W, M), W[:, M:])


def test_two_rotated_bases_confirm_every_statement_at_any_rotation():
  for seed in range(3):
    dataset = dataset_of(bases(np.random.default_rng(seed)))
    assert set(verdicts(dataset)) == {CONFIRMED}
  assert set(verdicts(dataset.isel(restart=0, drop=True))) == {CONFIRMED}
  assert figure.draw(dataset).axes


def test_one_set_alone_and_a_skewed_basis_are_contradicted():
  W = bases(np.random.default_rng(0))
  alone = W.copy()
  alone[:, M:] *= 0.01
  assert verdicts(dataset_of(alone)) == [CONFIRMED, CONTRADICTED, CONTRADICTED, CONFIRMED]
  skewed = W.copy()
  skewed[0, 1] = 0.2
  assert verdicts(dataset_of(skewed))[0] == CONTRADICTED


def test_dense_features_decide_nothing():
  assert set(verdicts(dataset_of(bases(np.random.default_rng(0)), (0.2,)))) == {UNDECIDED}


def test_sets_of_another_size_are_refused():
  changed = local_bases.get_config("quick")
  changed.data.set_size = 5
  with pytest.raises(UserError, match="two sets"):
    config.resolve(changed)
