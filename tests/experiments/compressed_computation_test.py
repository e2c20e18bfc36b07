"""Compressed computation: the naive loss by simulation, the mixing matrix, known networks."""

import json

import numpy as np
import pytest
import xarray as xr

from configs import compressed_computation as settings
from toy_superposition import fields
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.compressed_computation import EXPERIMENT, figure, theory
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  REPORTED,
  UNDECIDED,
)
from toy_superposition.objective import MixedReLU

N, D, P = 8, 4, 0.25
CONFIG = {
  "model.name": "relu_mlp",
  "model.n_features": N,
  "model.n_hidden": D,
  "model.output_bias": False,
  "data.distribution": "sparse_signed_uniform",
  "data.target": "mixed_relu",
  "loss.name": "power",
  "density.base": P,
  "evaluation.n_samples": 8192,
}


def test_the_naive_loss_is_that_of_half_of_the_features_on_samples():
  x = np.random.default_rng(0).uniform(-1, 1, size=(200_000, N))
  error = np.maximum(x, 0)
  error[:, :D] = 0
  for q in (2.0, 4.0):
    assert (error**q).mean() == pytest.approx(theory.naive_loss(N, D, q), rel=0.01)
  assert theory.naive_loss(100, 50, 2.0) == pytest.approx(1 / 12)
  assert theory.naive_loss(100, 50, 4.0) == pytest.approx(1 / 20)


def test_the_mixing_matrix_is_what_unit_rows_lack_to_be_orthonormal():
  M = MixedReLU(n_residual=400).matrix(60)
  np.testing.assert_allclose(np.diag(M), 0, atol=1e-6)
  np.testing.assert_array_equal(M, M.T)
  assert M[np.triu_indices(60, 1)].std() == pytest.approx(400**-0.5, rel=0.1)


def test_neurons_in_the_largest_eigenvectors_have_all_of_their_weight_there():
  M = MixedReLU(n_residual=50).matrix(N)
  vectors = np.linalg.eigh(M.astype(float))[1]
  assert theory.eigen_share(vectors[:, -D:].T, M) == pytest.approx(1)
  assert theory.eigen_share(vectors[:, :D].T, M) == pytest.approx(0, abs=1e-9)
  assert theory.eigen_share(vectors.T[D - 2 :][:D], M) == pytest.approx(0.5)


def test_answers_to_single_features_are_those_of_the_network():
  rng = np.random.default_rng(0)
  W1, W2, x = rng.normal(size=(D, N)), rng.normal(size=(N, D)), np.array([-0.5, 1.0])
  one = np.zeros(N)
  one[3] = -0.5
  expected = W2 @ np.maximum(W1 @ one, 0)
  np.testing.assert_allclose(theory.responses(W1, W2, x)[0, :, 3], expected)


def made(scale: float = 1.0, seeds: int = 5) -> xr.Dataset:
  """Returns the analysis of networks that compute the first features, times `scale`."""
  shape = (2, 2, seeds)
  eye = np.eye(D, N, dtype=np.float32)
  dims = ("mixing", "q", "restart")
  feature = np.ones((*shape, N), np.float32)
  dataset = xr.Dataset(
    {
      "W1": ((*dims, "hidden", "feature"), np.broadcast_to(eye, (*shape, D, N))),
      "W2": ((*dims, "feature", "hidden"), np.broadcast_to(scale * eye.T, (*shape, N, D))),
      "b": ((*dims, "feature"), 0 * feature),
      "feature_density": ((*dims, "feature"), P * feature),
      "feature_importance": ((*dims, "feature"), feature),
      "peak_learning_rate": (dims, np.ones(shape)),
      "loss": (dims, np.ones(shape)),
      "finite": (dims, np.ones(shape)),
    },
    {
      "mixing": ("mixing", [0.0, 1.0], {"config_field": "data.mixing"}),
      "q": ("q", [2.0, 4.0], {"config_field": "loss.q"}),
      "restart": ("restart", np.arange(seeds), {"config_field": ""}),
    },
    {"config": json.dumps(fields.defaults() | CONFIG), "model": "relu_mlp"},
  )
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.decide(dataset)]


def test_networks_that_compute_half_have_the_naive_loss_and_the_figure_draws():
  dataset = made()
  plain = dataset["judged"].sel(mixing=0).isel(q=0, restart=0)
  np.testing.assert_allclose(plain.isel(output=slice(0, D)), 0, atol=1e-6)
  np.testing.assert_allclose(plain.mean("output"), dataset["naive"], rtol=0.05)
  found = verdicts(dataset)
  assert found[0] == CONFIRMED
  assert found[1:6] == [CONTRADICTED] * 5  # neither mixing nor L4 have gained anything
  assert found[6] == REPORTED
  assert len(figure.draw(dataset).axes) == 8


def test_networks_that_compute_too_little_contradict_and_few_seeds_decide_nothing():
  assert verdicts(made(scale=0.5))[0] == CONTRADICTED
  assert set(verdicts(made(seeds=2))) == {UNDECIDED, REPORTED}


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.n_hidden", 20),
    ("model.output_bias", True),
    ("data.distribution", "sparse_uniform"),
    ("loss.name", "absolute"),
    ("loss.reduction", "mean"),
  ],
)
def test_models_that_the_claims_are_not_about_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=r"config\."):
    resolve(changed)
