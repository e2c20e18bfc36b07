"""One binary neuron: closed forms, the best fire set, verdicts."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import cross_entropy_neuron as settings
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.cross_entropy_neuron import claims as analysis
from toy_superposition.experiments.cross_entropy_neuron import figure, theory
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED

N = 4


def test_the_losses_of_four_features_are_those_of_the_source():
  assert theory.cross_entropy(N, 1) == pytest.approx(0.75 * np.log(3))
  assert theory.cross_entropy(N, 2) == pytest.approx(np.log(2))
  assert theory.cross_entropy(N, 0) == theory.cross_entropy(N, N) == pytest.approx(np.log(N))
  assert [theory.squared_error(N, s) for s in range(N + 1)] == [0.75, 0.5, 0.5, 0.5, 0.75]


@pytest.mark.parametrize("n", [3, 6])
def test_closed_forms_are_the_losses_of_the_best_outputs(n):
  for size in range(n + 1):
    fires = (np.arange(n) < size).astype(float)
    found = theory.best_losses(fires, np.full(n, 1 / n))
    expected = theory.cross_entropy(n, size), theory.squared_error(n, size)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_no_outputs_are_better_than_the_best_ones():
  weight, fires = np.array([0.4, 0.3, 0.2, 0.1]), np.array([1.0, 0, 1, 0])
  best = theory.best_losses(fires, weight)
  rng = np.random.default_rng(0)
  for _ in range(50):
    said = rng.dirichlet(np.ones(N), size=2)  # off, on
    share = said[fires.astype(int)]
    assert -weight @ np.log(np.diag(share)) >= best[0]
    assert weight @ np.sum((np.eye(N) - share) ** 2, axis=1) >= best[1]


def test_unequal_importances_make_squared_error_single_out_one():
  assert theory.best_sizes(0.8 ** np.arange(N)) == (2, 1)
  assert theory.best_sizes(np.array([10.0, 1, 1, 1])) == (1, 1)


def test_a_neuron_that_surely_fires_on_a_set_has_the_closed_form_s_loss():
  drive = 50 * jnp.array([1.0, 1, -1, -1])
  said = jnp.array([0.5, 0.5, 0, 0])
  off = said[::-1]
  found = theory.expected_loss(theory.Neuron(drive, said, off), "squared_error")
  assert float(found) == pytest.approx(0.5)
  logits = (100 * said, 100 * off)
  found = theory.expected_loss(theory.Neuron(drive, *logits), "cross_entropy")
  assert float(found) == pytest.approx(np.log(2), rel=1e-5)


@pytest.fixture(scope="module")
def made() -> xr.Dataset:
  dataset = xr.Dataset({"b": (("restart", "feature"), np.zeros((8, N)))})
  return analysis.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset):
  return [row.verdict for row in analysis.claims(dataset)]


def test_what_is_known_is_confirmed(made):
  found = verdicts(made)
  assert found[:3] + found[4:] == [CONFIRMED] * 4
  assert figure.draw(made).axes


def test_other_numbers_contradict_and_few_restarts_decide_nothing(made):
  assert verdicts(made.assign(closed_form=made["closed_form"] + 1e-5))[0] == CONTRADICTED
  assert verdicts(made.assign(trained_size=0 * made["trained_size"] + 1))[1] == CONTRADICTED
  assert verdicts(made.assign(trained_loss=made["trained_loss"] + 0.02))[1] == CONTRADICTED
  assert verdicts(made.isel(restart=slice(2)))[1] == UNDECIDED
  tilted = made.assign(direct=made["direct"] + 1e-5 * made["size"])
  assert verdicts(tilted)[2] == CONTRADICTED
  assert verdicts(made.assign(best_size=0 * made["best_size"] + 2))[4] == CONTRADICTED


def test_training_of_the_package_s_models_is_refused():
  changed = settings.get_config("quick")
  changed.train.steps = 3
  with pytest.raises(UserError, match="steps"):
    config.resolve(changed)
