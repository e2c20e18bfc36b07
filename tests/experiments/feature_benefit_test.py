"""Feature benefit: the linear identity, minimum energies, verdicts on known solutions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import feature_benefit
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  IDENTITY,
  REPORTED,
  UNDECIDED,
)
from toy_superposition.experiments.feature_benefit import (
  EXPERIMENT,
  analysis,
  energy,
  figure,
  theory,
)
from toy_superposition.geometry.components import polygon, square_antiprism
from toy_superposition.models import AutoencoderParams
from toy_superposition.theory import expected_loss

N = 3
DENSITIES = (1.0, 0.05)
IMPORTANCE = 0.9 ** np.arange(3)
EXPECTED = jax.jit(expected_loss.expected_feature_loss, static_argnames="relu")


def test_the_two_terms_of_known_directions():
  W = np.array([[1.0, -1.0, 0.0]])
  assert theory.feature_benefit(W, IMPORTANCE) == pytest.approx(IMPORTANCE[2])
  assert theory.interference(W, IMPORTANCE) == pytest.approx(1.9)
  assert theory.interference(np.eye(3), IMPORTANCE) == 0


def test_the_two_terms_are_the_weighted_distance_of_the_gram_matrix_from_the_identity():
  # E‖√I (x − WᵀW x)‖² = σ² ‖√I (1 − WᵀW)‖_F² for E[xxᵀ] = σ² 1.
  W = np.random.default_rng(0).normal(size=(2, 3))
  distance = np.linalg.norm(np.sqrt(IMPORTANCE)[:, None] * (np.eye(3) - W.T @ W)) ** 2
  total = theory.feature_benefit(W, IMPORTANCE) + theory.interference(W, IMPORTANCE)
  assert total == pytest.approx(distance)


@pytest.mark.parametrize("density", [1.0, 0.2])
def test_the_linear_loss_is_the_mean_of_samples_whatever_the_bias(density):
  rng = np.random.default_rng(1)
  W, b = rng.normal(size=(2, 3)), rng.normal(size=3)
  expected = theory.linear_loss(W, b, IMPORTANCE, *theory.sparse_moments(density))
  sampled = analysis.sampled_losses(
    W[None], b[None], IMPORTANCE, density, relu=[False], n_examples=2**18
  )
  assert sampled[0] == pytest.approx(expected, rel=0.01)


def test_energies_of_frames_and_their_invariances():
  assert energy.energy(np.array([[1.0, -1.0]])) == 0
  assert energy.energy(3 * polygon(5)) == pytest.approx(0.954915, abs=1e-6)
  assert energy.energy(polygon(6)) == pytest.approx(3)
  assert energy.energy(square_antiprism()) > energy.MINIMA[3, 8]


@pytest.mark.parametrize("size", list(energy.MINIMA))
def test_minimum_energies_are_the_verified_ones(size):
  arrangement = energy.minimum_energy(n_hidden=size[0], n_features=size[1])
  assert arrangement.energy == pytest.approx(energy.MINIMA[size], abs=1e-3)
  assert energy.energy(arrangement.vectors) == pytest.approx(arrangement.energy, abs=1e-9)
  np.testing.assert_allclose(np.linalg.norm(arrangement.vectors, axis=0), 1)


def dataset_of(relu_W: list[list[float]], linear_W=(1.0, 0.0, 0.0)) -> xr.Dataset:
  """Returns the analysed dataset of given directions.

  Biases are the best ones of a linear model, for the linear and the dense ReLU model, and 0 for the
  sparse ReLU model; losses are the expected ones.
  """
  W = np.array([[[linear_W]] * 2, [[row] for row in relu_W]])  # model, density, hidden, feature
  b = np.zeros((2, 2, N))
  b[0] = np.array(DENSITIES)[:, None] / 2 * (1 - (W[0, 0].T @ W[0, 0]).sum(axis=1))
  b[1, 0] = b[0, 0]
  dataset = datasets.dataset(
    W=W,
    b=b,
    axes={"model": ["linear", "relu_output"], "density": list(DENSITIES)},
    config={"importance.profile": "geometric", "importance.ratio": 0.9},
  )
  for k, p in np.ndindex(2, 2):
    W_kp, b_kp, density, importance = (
      jnp.asarray(dataset[name].values[k, p])
      for name in ("W", "b", "feature_density", "feature_importance")
    )
    loss = EXPECTED(AutoencoderParams(W_kp, b_kp), density, importance, relu=k == 1)
    dataset["loss"][k, p] = loss.sum()
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


@pytest.fixture(scope="module")
def solved():
  return dataset_of([[1, 0, 0], [1, -1, 0]])


def verdicts(dataset):
  return [row.verdict for row in EXPERIMENT.claims(dataset) if row.verdict != REPORTED]


def test_the_optimum_confirms_every_statement(solved):
  assert set(verdicts(solved)) == {CONFIRMED, IDENTITY}
  assert figure.draw(solved).axes


def test_the_parts_of_an_antipodal_pair_have_closed_forms(solved):
  # One active: nothing is lost but the absent feature, p S² p/3 of it; S p² (…) for two.
  p, sparse = DENSITIES[1], solved.sel(model="relu_output", density=DENSITIES[1])
  terms = sparse["sparse_terms"].values
  assert terms[0] == 0
  assert terms[1] == pytest.approx(p * (1 - p) ** 2 * IMPORTANCE[2] / 3, rel=1e-5)


def test_interference_in_a_linear_model_is_contradicted():
  superposed = dataset_of([[1, 0, 0], [1, -1, 0]], (0.8, -0.6, 0.0))
  assert verdicts(superposed).count(CONTRADICTED) == 2


def test_losses_that_are_not_those_of_the_weights_are_contradicted(solved):
  wrong = solved.assign(best_loss=solved["best_loss"] * 1.02)
  assert verdicts(wrong)[:3] == [CONTRADICTED] * 3


def relu_verdict(dataset: xr.Dataset) -> str:
  (row,) = [row for row in EXPERIMENT.claims(dataset) if "best weights" in row.statement]
  return row.verdict


def test_a_relu_model_without_superposition_or_with_it_when_dense_is_contradicted():
  assert relu_verdict(dataset_of([[1, 0, 0]] * 2)) == CONTRADICTED
  assert relu_verdict(dataset_of([[1, -1, 0]] * 2)) == CONTRADICTED


def test_losses_that_are_not_finite_and_a_sweep_without_dense_features_decide_nothing(solved):
  diverged = solved.assign(best_loss=solved["best_loss"] * np.nan)
  assert verdicts(diverged)[:3] == [UNDECIDED] * 3
  assert relu_verdict(solved.isel(density=[1])) == UNDECIDED


def test_minimum_energies_other_than_the_verified_ones_are_contradicted(solved):
  assert verdicts(solved.assign(least_energy=solved["least_energy"] + 0.002))[-1] == CONTRADICTED


def test_one_model_alone_is_refused():
  changed = feature_benefit.get_config("quick")
  changed.axis.model.points = ("relu_output",)
  with pytest.raises(UserError, match="both linear and relu_output"):
    resolve(changed)


@pytest.mark.parametrize(
  ("field", "value"),
  [("model.n_features", 2), ("importance.base", 2.0), ("evaluation.method", "sampled")],
)
def test_a_problem_of_which_the_formulas_do_not_hold_is_refused_by_name(field, value):
  changed = feature_benefit.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}: '?{value}.*'feature_benefit'.*=none"):
    resolve(changed)
