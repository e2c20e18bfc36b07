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
MESH = meshes.make_mesh(setup.devices(1))


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
  (event,) = analysis.events(levels(60))
  assert event.movers.tolist() == [9]
  assert event.before <= 60 and event.after >= 61


def test_what_is_no_jump_is_not_found():
  assert not analysis.events(levels(60, width=40))  # slow
  assert not analysis.events(levels(200))  # nothing happens
  wild = levels(60)
  wild[:, :4] += 0.1 * (np.arange(N_STEPS) % 2)[:, None]
  assert not analysis.events(wild)  # too few have settled
  pushed = levels(60)
  pushed[60:, 0] += 0.1
  assert not analysis.events(pushed)  # another settled feature moves


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
    history_b=(("restart", "step", "feature"), np.zeros((n_restarts, N_STEPS, 6), np.float32)),
    history_loss=(("restart", "step"), np.repeat(FALLING[None], n_restarts, axis=0)),
  ).assign_coords(step=10 * np.arange(N_STEPS))
  return EXPERIMENT.run(dataset, MESH, 2**30)


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


def test_claims_follow_the_trainings():
  dataset = trained()
  assert verdicts(dataset) == [CONFIRMED] * 4 + [REPORTED, UNDECIDED]
  assert len(figure.draw(dataset).axes) == 2
  quiet = trained(jump=None)
  assert verdicts(quiet)[2] == CONTRADICTED
  assert figure.draw(quiet).axes
  assert verdicts(trained(level=-0.7))[:2] == [CONTRADICTED] * 2


def test_drops_of_the_loss_are_those_of_the_models_before_and_after_a_jump():
  dataset = trained(n_restarts=2)
  (event,) = analysis.events_of(dataset.isel(restart=1))
  drop = dataset["judged_drop"][1]
  np.testing.assert_array_equal(np.flatnonzero(drop.notnull()), [event.before])
  # Before, the last feature's second moment p/3, whatever history_loss says. Afterwards, where both
  # of its digon are active, the smaller one is lost twice: p²/3.
  p, error = 0.35, float(dataset["drop_error"][1, event.before])
  assert float(drop[event.before]) == pytest.approx(p / 3 - p**2 / 3, rel=0.02)
  assert 0 < error < 0.01 * float(drop[event.before])
  alone = EXPERIMENT.run(dataset.isel(restart=1, drop=True), MESH, 2**30)
  np.testing.assert_allclose(alone["judged_drop"], drop, rtol=1e-6)


def test_jumps_are_found_whatever_the_loss_does():
  rising = trained()
  rising["history_loss"] = rising["history_loss"][:, ::-1]
  assert verdicts(rising)[2] == CONFIRMED


def test_the_loss_need_not_fall_at_a_jump():
  dataset = trained()
  up = dataset["judged_drop"].copy(deep=True)
  up[0] *= -1
  assert verdicts(dataset.assign(judged_drop=up))[3] == CONTRADICTED
  unclear = dataset["judged_drop"].copy(deep=True)
  unclear[0] = unclear[0] * 0 + 1.9 * dataset["drop_error"][0]
  assert verdicts(dataset.assign(judged_drop=unclear))[3] == UNDECIDED
  assert verdicts(trained(jump=None))[3] == UNDECIDED


def twice(drops: list[tuple[float, float]]) -> str:
  """Returns the verdict on the order of jumps: the last of six features appears at step 60 and goes
  again at 80; the loss falls by (first, last) of the final loss, each ± 0.01.

  Args:
    drops: of the first trainings; all others have one jump.
  """
  dataset = trained().copy(deep=True)
  D = dataset["history_dimensionality"]
  D[: len(drops), 80:] = D[0, 0].values
  for k, (first, last) in enumerate(drops):
    before = [event.before for event in analysis.events_of(dataset.isel(restart=k))]
    assert len(before) == 2
    dataset["judged_drop"][k, before] = np.array([first, last])
    dataset["drop_error"][k, before] = 0.01
  return verdicts(dataset)[-1]


def test_the_last_of_several_jumps_has_to_save_more_than_the_first_in_every_training():
  assert twice([(0.1, 0.2)] * 5) == CONFIRMED
  assert twice([(0.1, 0.2)] * 4 + [(0.2, 0.1)]) == CONTRADICTED
  assert twice([(0.1, 0.2)] * 4 + [(0.1, 0.11)]) == UNDECIDED  # within the errors
  assert twice([(0.1, 0.2)] * 4) == UNDECIDED  # too few trainings


def test_few_trainings_decide_nothing():
  assert verdicts(trained(n_restarts=2, jump=None))[:3] == [UNDECIDED] * 3
  assert verdicts(trained(n_restarts=2))[:3] == [UNDECIDED] * 3


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
