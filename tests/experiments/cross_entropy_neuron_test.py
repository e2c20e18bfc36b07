"""One binary neuron: closed forms, the best set of features to fire on, verdicts."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import cross_entropy_neuron as settings
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.cross_entropy_neuron import EXPERIMENT, figure, theory
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  IDENTITY,
  REPORTED,
  UNDECIDED,
)

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
    losses = theory.best_losses(fires, np.full(n, 1 / n))
    expected = theory.cross_entropy(n, size), theory.squared_error(n, size)
    np.testing.assert_allclose(losses, expected, atol=1e-12)


def test_no_outputs_are_better_than_the_best_ones():
  weight, fires = np.array([0.4, 0.3, 0.2, 0.1]), np.array([1.0, 0, 1, 0])
  best = theory.best_losses(fires, weight)
  rng = np.random.default_rng(0)
  for _ in range(50):
    outputs = rng.dirichlet(np.ones(N), size=2)  # off, on
    share = outputs[fires.astype(int)]
    assert -weight @ np.log(np.diag(share)) >= best[0]
    assert weight @ np.sum((np.eye(N) - share) ** 2, axis=1) >= best[1]


def test_unequal_importances_make_squared_error_single_out_one():
  assert theory.best_sizes(0.8 ** np.arange(N)) == (2, 1)
  assert theory.best_sizes(np.array([10.0, 1, 1, 1])) == (1, 1)


def test_a_neuron_that_surely_fires_on_a_set_has_the_closed_form_s_loss():
  drive = 50 * jnp.array([1.0, 1, -1, -1])
  on = jnp.array([0.5, 0.5, 0, 0])
  off = on[::-1]
  error = theory.expected_loss(theory.Neuron(drive, on, off), "squared_error")
  assert float(error) == pytest.approx(0.5)
  entropy = theory.expected_loss(theory.Neuron(drive, 100 * on, 100 * off), "cross_entropy")
  assert float(entropy) == pytest.approx(np.log(2), rel=1e-5)


@pytest.fixture(scope="module")
def neurons() -> xr.Dataset:
  dataset = datasets.dataset(W=np.zeros((1, N)), axes={"restart": list(range(8))}, measured=())
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


def test_closed_forms_and_trained_neurons_confirm_every_statement(neurons):
  assert verdicts(neurons) == [IDENTITY, CONFIRMED, IDENTITY, REPORTED, CONFIRMED]
  assert len(figure.draw(neurons).axes) == 3


def test_closed_forms_that_the_best_outputs_do_not_reach_contradict(neurons):
  assert verdicts(neurons.assign(closed_form=neurons["closed_form"] + 1e-5))[0] == CONTRADICTED
  tilted = neurons.assign(direct=neurons["direct"] + 1e-5 * neurons["size"])
  assert verdicts(tilted)[2] == CONTRADICTED


def test_neurons_that_fire_on_one_feature_or_lose_more_contradict_and_few_decide_nothing(neurons):
  assert verdicts(neurons.assign(trained_size=0 * neurons["trained_size"] + 1))[1] == CONTRADICTED
  assert verdicts(neurons.assign(trained_loss=neurons["trained_loss"] + 0.02))[1] == CONTRADICTED
  assert verdicts(neurons.isel(restart=slice(2)))[1] == UNDECIDED


def test_losses_that_prefer_the_same_neuron_contradict_that_importances_part_them(neurons):
  assert verdicts(neurons.assign(best_size=0 * neurons["best_size"] + 2))[4] == CONTRADICTED


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("train.steps", 3),
    ("model.n_features", 5),
    ("model.n_hidden", 2),
    ("loss.hidden_l1", 0.3),
    ("importance.profile", "geometric"),
  ],
)
def test_the_package_s_own_training_and_other_sizes_are_refused_by_name(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}: .*'cross_entropy_neuron'.*=none"):
    resolve(changed)
