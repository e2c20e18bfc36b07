"""Jumps of feature dimensionality: found where they are made, and only there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import learning_dynamics_jumps
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, REPORTED, UNDECIDED
from toy_superposition.experiments.learning_dynamics_jumps import claims as analysis
from toy_superposition.experiments.learning_dynamics_jumps import figure
from toy_superposition.geometry import features
from toy_superposition.geometry.components import dimensionalities

N_KEPT = 101


def test_dimensionalities_are_those_of_the_measure():
  W = np.random.default_rng(0).normal(size=(4, 3, 7)).astype(np.float32)
  W[:, :, 2] = 0
  expected = jax.vmap(features.feature_dimensionality)(jnp.asarray(W))
  np.testing.assert_allclose(dimensionalities(W), expected, rtol=1e-4)


def levels(at: int, width: int = 2) -> np.ndarray:
  """Returns D_i of ten features; number 9 goes from 0 to ½ at a step."""
  D = np.full((N_KEPT, 10), 0.5)
  D[:, 9] = 0.5 * np.clip((np.arange(N_KEPT) - at) / width, 0, 1)
  return D


FALLING = np.linspace(2, 1, N_KEPT)


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
  wild[:, :4] += 0.1 * (np.arange(N_KEPT) % 2)[:, None]
  assert not analysis.events(wild, FALLING)  # too few have settled
  pushed = levels(60)
  pushed[60:, 0] += 0.1
  assert not analysis.events(pushed, FALLING)  # another settled feature moves


def made(n_restarts: int = 8, jump: int | None = 60, level: float = -1.0) -> xr.Dataset:
  """Returns trainings of five features in three dimensions: digons, one of them late."""
  W = np.zeros((N_KEPT, 3, 6), np.float32)
  for i in range(3):
    W[:, i, 2 * i], W[:, i, 2 * i + 1] = 1, level
  W[: N_KEPT if jump is None else jump, :, 5] *= 0.05
  dims = ("restart", "step", "hidden", "feature")
  W = np.repeat(W[None], n_restarts, axis=0)
  dataset = xr.Dataset(
    {
      "history_W": (dims, W),
      "history_loss": (("restart", "step"), np.repeat(FALLING[None], n_restarts, axis=0)),
      "W": (("restart", "hidden", "feature"), W[:, -1]),
      "loss": ("restart", np.ones(n_restarts)),
      "feature_density": (("restart", "feature"), np.full((n_restarts, 6), 0.35)),
    },
    {"step": 10 * np.arange(N_KEPT), "restart": np.arange(n_restarts)},
  )
  return analysis.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in analysis.claims(dataset)]


def test_claims_follow_the_trainings():
  right = made()
  assert verdicts(right) == [CONFIRMED] * 3 + [REPORTED] * 2
  assert len(figure.draw(right).axes) == 2
  quiet = made(jump=None)
  assert verdicts(quiet)[2] == CONTRADICTED
  assert figure.draw(quiet).axes
  assert verdicts(made(level=-0.7))[:2] == [CONTRADICTED] * 2
  assert verdicts(made(n_restarts=2, jump=None))[:3] == [UNDECIDED] * 3


@pytest.mark.parametrize(
  ("field", "value"),
  [("history.num", 0), ("history.scale", "log"), ("importance.profile", "geometric")],
)
def test_other_experiments_are_refused(field, value):
  changed = learning_dynamics_jumps.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError):
    config.resolve(changed)
