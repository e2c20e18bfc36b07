"""Local bases: two rotated bases are recognised, and other directions are contradicted."""

import numpy as np
import pytest
import xarray as xr

from configs import local_bases
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.experiments.local_bases import EXPERIMENT, figure

M = 10


def bases(seed: int = 0) -> np.ndarray:
  """Returns an orthonormal basis and minus a rotation of it."""
  rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(M, M)))[0]
  return np.concatenate([np.eye(M), -rotation], axis=1)


def dataset_of(W: np.ndarray, density=(0.01, 0.05)) -> xr.Dataset:
  """Returns results with the same model at all densities, in both restarts."""
  dataset = datasets.dataset(
    axes={"density": density, "restart": [0, 1]},
    config={"data.distribution": "correlated_sets", "data.set_size": M},
    loss=1.0,
    measured=EXPERIMENT.measures,
    W=W,
  )
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset):
  """Returns the verdicts, the last of which is on dense sets."""
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


def test_two_rotated_bases_confirm_every_statement_at_any_rotation():
  for seed in range(3):
    dataset = dataset_of(bases(seed))
    assert verdicts(dataset) == [*[CONFIRMED] * 6, UNDECIDED]
  assert verdicts(dataset.isel(restart=0, drop=True)) == [*[CONFIRMED] * 6, UNDECIDED]
  assert figure.draw(dataset).axes


def test_one_set_alone_and_a_skewed_basis_are_contradicted():
  alone = bases()
  alone[:, M:] *= 0.01
  rows = verdicts(dataset_of(alone))
  assert rows[:5] == [CONFIRMED, CONTRADICTED, CONTRADICTED, CONFIRMED, CONTRADICTED]
  skewed = bases()
  skewed[0, 1] = 0.2
  assert verdicts(dataset_of(skewed))[0] == CONTRADICTED


def test_sets_in_separate_halves_of_the_dimensions_do_not_share_them():
  separate = bases()
  separate[M // 2 :, :M] = 0
  separate[: M // 2, M:] = 0
  assert verdicts(dataset_of(separate))[2] == CONTRADICTED


def test_a_mirror_image_has_the_spectrum_of_a_rotation_and_is_none():
  mirror = np.concatenate([np.eye(M), -np.eye(M)[:, ::-1]], axis=1)
  assert verdicts(dataset_of(mirror))[:6] == [*[CONFIRMED] * 5, CONTRADICTED]


def test_a_basis_that_is_longer_than_a_rotation_s_is_contradicted():
  long = bases()
  long[:, 0] *= 1.22  # one feature: ‖C‖² and the mean of D hardly change
  rows = verdicts(dataset_of(long))
  assert rows[1] == rows[4] == CONTRADICTED and rows[2] == rows[5] == CONFIRMED


def test_dense_features_decide_nothing_on_sparse_ones():
  assert verdicts(dataset_of(bases(), (0.2,)))[:6] == [UNDECIDED] * 6


@pytest.mark.parametrize(
  ("n_weak", "rank", "expected"), [(0, 10, CONTRADICTED), (1, 9, CONFIRMED), (2, 8, CONTRADICTED)]
)
def test_one_feature_and_one_direction_are_lost_where_sets_are_dense(n_weak, rank, expected):
  W = bases()
  W[:, :n_weak] *= 0.05
  dataset = dataset_of(W, (0.2,))
  assert (dataset["cross_singular_values"][0, 0] > 0.1).sum() == rank
  assert verdicts(dataset)[-1] == expected


@pytest.mark.parametrize(
  ("field", "value"),
  [("data.set_size", 5), ("importance.profile", "geometric"), ("loss.hidden_l1", 0.1)],
)
def test_models_that_the_claims_are_not_about_are_refused(field, value):
  changed = local_bases.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match="local_bases") as error:
    resolve(changed)
  assert name in str(error.value)


def test_two_sets_of_another_size_are_accepted_if_each_can_be_a_basis():
  changed = local_bases.get_config("quick")
  changed.model.n_features, changed.model.n_hidden, changed.data.set_size = 12, 6, 6
  assert resolve(changed).experiment == "local_bases"
