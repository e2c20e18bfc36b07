"""Feature benefit: the linear identity, least energies, verdicts on solutions that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import feature_benefit
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, REPORTED
from toy_superposition.experiments.feature_benefit import claims as analysis
from toy_superposition.experiments.feature_benefit import energy, figure
from toy_superposition.experiments.feature_benefit import theory as benefit
from toy_superposition.geometry.components import polygon, square_antiprism
from toy_superposition.models import TiedParams
from toy_superposition.theory import expected_loss

N, M = 3, 1
DENSITIES = (1.0, 0.05)
IMPORTANCE = np.array([1.0, 0.9, 0.8])
EXPECTED = jax.jit(expected_loss.expected_feature_loss, static_argnames="relu")


def test_the_two_terms_of_known_directions():
  W = np.array([[1.0, -1.0, 0.0]])
  assert benefit.feature_benefit(W, IMPORTANCE) == pytest.approx(0.8)
  assert benefit.interference(W, IMPORTANCE) == pytest.approx(1.9)
  assert benefit.interference(np.eye(3), IMPORTANCE) == 0


def test_the_two_terms_are_the_weighted_distance_of_the_gram_matrix_from_the_identity():
  # E‖√I (x − WᵀW x)‖² = σ² ‖√I (1 − WᵀW)‖_F² for E[xxᵀ] = σ² 1.
  W = np.random.default_rng(0).normal(size=(2, 3))
  distance = np.linalg.norm(np.sqrt(IMPORTANCE)[:, None] * (np.eye(3) - W.T @ W)) ** 2
  total = benefit.feature_benefit(W, IMPORTANCE) + benefit.interference(W, IMPORTANCE)
  assert total == pytest.approx(distance)


@pytest.mark.parametrize("density", [1.0, 0.2])
def test_the_linear_loss_is_the_mean_of_samples_whatever_the_bias(density):
  rng = np.random.default_rng(1)
  W, b = rng.normal(size=(2, 3)), rng.normal(size=3)
  expected = benefit.linear_loss(W, b, IMPORTANCE, *benefit.sparse_moments(density))
  sampled = analysis.sampled_losses(
    W[None], b[None], IMPORTANCE, density, relu=[False], n_examples=2**18
  )
  assert sampled[0] == pytest.approx(expected, rel=0.01)


def test_energies_of_frames_and_their_invariances():
  assert energy.energy(np.array([[1.0, -1.0]])) == 0
  assert energy.energy(3 * polygon(5)) == pytest.approx(0.954915, abs=1e-6)
  assert energy.energy(polygon(6)) == pytest.approx(3)
  assert energy.energy(square_antiprism()) > energy.LEAST[3, 8]


@pytest.mark.parametrize("size", list(energy.LEAST))
def test_least_energies_are_the_verified_ones(size):
  found = energy.least_energy(*size)
  assert found.energy == pytest.approx(energy.LEAST[size], abs=1e-3)
  assert energy.energy(found.vectors) == pytest.approx(found.energy, abs=1e-9)
  np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=0), 1)


def dataset_of(relu_W: list[list[float]], linear_W=(1.0, 0.0, 0.0)) -> xr.Dataset:
  """Returns the analysed dataset of models with the best bias for a linear output, and 0."""
  W = np.array([[[linear_W]] * 2, [[row] for row in relu_W]], np.float32)  # model, density, 1, n
  mean = np.array(DENSITIES) / 2
  b = np.zeros((2, 2, N), np.float32)
  b[0] = mean[:, None] * (1 - np.einsum("di,dj->dij", W[0, :, 0], W[0, :, 0]).sum(axis=2))
  b[1, 0] = b[0, 0]  # dense: the linear solution
  density = np.broadcast_to(np.array(DENSITIES)[:, None], (2, 2, N)).astype(np.float32)
  importance = np.broadcast_to(IMPORTANCE, (2, 2, N)).astype(np.float32)
  loss = np.zeros((2, 2))
  for k, p in np.ndindex(2, 2):
    params = TiedParams(jnp.asarray(W[k, p]), jnp.asarray(b[k, p]))
    loss[k, p] = EXPECTED(
      params, jnp.asarray(density[k, p]), jnp.asarray(importance[k, p]), relu=k == 1
    ).sum()
  dims = ("model", "density")
  dataset = xr.Dataset(
    {
      "W": ((*dims, "hidden", "feature"), W),
      "b": ((*dims, "feature"), b),
      "loss": (dims, loss),
      "feature_density": ((*dims, "feature"), density),
      "feature_importance": ((*dims, "feature"), importance),
    },
    {"model": ["linear", "relu_output"], "density": list(DENSITIES)},
  )
  return analysis.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


@pytest.fixture(scope="module")
def solved():
  return dataset_of([[1, 0, 0], [1, -1, 0]])


def verdicts(dataset):
  return [row.verdict for row in analysis.claims(dataset) if row.verdict != REPORTED]


def test_the_optimum_confirms_every_statement(solved):
  assert set(verdicts(solved)) == {CONFIRMED}
  assert figure.draw(solved).axes


def test_the_parts_of_an_antipodal_pair_have_closed_forms(solved):
  # One active: nothing is lost but the absent feature, p S² p/3 of it; S p² (…) for two.
  p, sparse = DENSITIES[1], solved.sel(model="relu_output", density=DENSITIES[1])
  terms = sparse["sparse_terms"].values
  assert terms[0] == 0
  assert terms[1] == pytest.approx(p * (1 - p) ** 2 * IMPORTANCE[2] / 3, rel=1e-5)


def test_interference_in_a_linear_model_is_contradicted():
  assert verdicts(dataset_of([[1, 0, 0], [1, -1, 0]], (0.8, -0.6, 0.0))).count(CONTRADICTED) == 2


def test_losses_that_are_not_those_of_the_weights_are_contradicted(solved):
  wrong = solved.assign(best_loss=solved["best_loss"] * 1.02)
  assert verdicts(wrong)[:3] == [CONTRADICTED] * 3


def test_a_relu_model_without_superposition_is_contradicted():
  rows = [row for row in analysis.claims(dataset_of([[1, 0, 0]] * 2)) if "best weights" in row[0]]
  assert rows[0].verdict == CONTRADICTED


def test_one_model_alone_is_refused():
  changed = feature_benefit.get_config("quick")
  changed.axis.model.points = ("relu_output",)
  with pytest.raises(UserError, match="compares two models"):
    config.resolve(changed)
