"""Jumps of feature dimensionality: found where they are made, and only there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import learning_dynamics_jumps
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, REPORTED, UNDECIDED
from toy_superposition.experiments.learning_dynamics_jumps import EXPERIMENT, analysis, figure
from toy_superposition.geometry import features
from toy_superposition.geometry.components import dimensionalities

N_STEPS = 101


def test_dimensionalities_are_those_of_the_measure():
  W = np.random.default_rng(0).normal(size=(4, 3, 7)).astype(np.float32)
  W[:, :, 2] = 0
  expected = jax.vmap(features.feature_dimensionality)(jnp.asarray(W))
  np.testing.assert_allclose(dimensionalities(W), expected, rtol=1e-4)


def levels(at: int, width: int = 2) -> np.ndarray:
  """Returns D_i of ten features; number 9 goes from 0 to ½ at a step."""
  D = np.full((N_STEPS, 10), 0.5)
  D[:, 9] = 0.5 * np.clip((np.arange(N_STEPS) - at) / width, 0, 1)
  return D


FALLING = np.linspace(2, 1, N_STEPS)


def test_a_jump_is_found_where_it_is():
  (event,) = analysis.events(levels(60), FALLING)
  assert event.movers.tolist() == [9]
  assert event.before <= 60 and event.after >= 61
  assert event.drop == pytest.approx(0.05)


def test_what_is_no_jump_is_not_found():
  assert not analysis.events(levels(60, width=40), FALLING)  # slow
  assert not analysis.events(levels(60), FALLING[::-1])  # the loss rises
  assert not analysis.events(levels(200), FALLING)  # nothing happens
  wild = levels(60)
  wild[:, :4] += 0.1 * (np.arange(N_STEPS) % 2)[:, None]
  assert not analysis.events(wild, FALLING)  # too few have settled
  pushed = levels(60)
  pushed[60:, 0] += 0.1
  assert not analysis.events(pushed, FALLING)  # another settled feature moves


def trained(n_restarts: int = 8, jump: int | None = 60, level: float = -1.0) -> xr.Dataset:
  """Returns trainings of six features in three dimensions that end as digons, one of them late.

  Args:
    n_restarts: number of trainings.
    jump: recorded step at which the last feature appears; never if None.
    level: the second feature of each digon, as a multiple of the first.
  """
  W = np.zeros((N_STEPS, 3, 6), np.float32)
  for i in range(3):
    W[:, i, 2 * i], W[:, i, 2 * i + 1] = 1, level
  W[: N_STEPS if jump is None else jump, :, 5] *= 0.05
  dataset = datasets.dataset(
    axes={"restart": range(n_restarts)},
    config={"density.base": 0.35, "history.num": N_STEPS, "history.scale": "linear"},
    loss=1.0,
    measured=(),
    W=W[-1],
  )
  history = np.repeat(W[None], n_restarts, axis=0)
  dataset = dataset.assign(
    history_W=(("restart", "step", "hidden", "feature"), history),
    history_loss=(("restart", "step"), np.repeat(FALLING[None], n_restarts, axis=0)),
  ).assign_coords(step=10 * np.arange(N_STEPS))
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


def test_claims_follow_the_trainings():
  dataset = trained()
  assert verdicts(dataset) == [CONFIRMED] * 3 + [REPORTED] * 2
  assert len(figure.draw(dataset).axes) == 2
  quiet = trained(jump=None)
  assert verdicts(quiet)[2] == CONTRADICTED
  assert figure.draw(quiet).axes
  assert verdicts(trained(level=-0.7))[:2] == [CONTRADICTED] * 2


def test_few_trainings_decide_nothing_but_that_there_is_a_jump():
  assert verdicts(trained(n_restarts=2, jump=None))[:3] == [UNDECIDED] * 3
  assert verdicts(trained(n_restarts=2))[:3] == [UNDECIDED, UNDECIDED, CONFIRMED]


def test_a_feature_that_is_not_represented_is_on_no_level():
  (model,) = analysis.trainings(trained(n_restarts=1, jump=None).isel(restart=0))
  assert len(analysis.final_dimensionalities(model)) == 5


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("history.num", 0),
    ("history.num", 39),
    ("history.scale", "log"),
    ("importance.profile", "geometric"),
    ("density.base", 0.01),
    ("model.n_features", 19),
    ("loss.hidden_l1", 0.1),
  ],
)
def test_models_that_the_claims_are_not_about_are_refused(field, value):
  changed = learning_dynamics_jumps.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match="learning_dynamics_jumps") as error:
    resolve(changed)
  assert name in str(error.value)


def test_other_sizes_with_two_features_per_dimension_are_accepted():
  changed = learning_dynamics_jumps.get_config("quick")
  changed.model.n_features = 20
  assert resolve(changed).experiment == "learning_dynamics_jumps"
