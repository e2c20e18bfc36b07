"""Stages of training: closed forms, where they are found, and claims on a made-up training."""

import numpy as np
import pytest
import xarray as xr

from configs import learning_dynamics_geometry
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.experiments.learning_dynamics_geometry import claims as analysis
from toy_superposition.experiments.learning_dynamics_geometry import figure
from toy_superposition.models import TiedParams
from toy_superposition.theory.sets_loss import expected_losses

P = 0.05
OCTAHEDRON = np.concatenate([np.eye(3), -np.eye(3)[:, [1, 2, 0]]], axis=1)
DIRECTIONS = np.repeat(np.eye(3)[:, :2], 3, axis=1) / 3**0.5  # each set is one direction


def mean_loss(W: np.ndarray, b: float) -> float:
  params = TiedParams(W=W.astype(np.float32), b=np.full(6, b, np.float32))
  return float(expected_losses(params, np.array(P), analysis.SET_SIZE)) / 6


def test_closed_forms_of_both_stages_are_expected_losses():
  assert mean_loss(DIRECTIONS, 0.0) == pytest.approx(analysis.plateau_loss(P), rel=0.01)
  assert mean_loss(OCTAHEDRON, 0.0) == pytest.approx(analysis.octahedron_loss(P), rel=0.01)


def made(partner: float = 1.0, begins: int = 4, ends: int = 14, steps: int = 10_000) -> xr.Dataset:
  """Returns two trainings: small weights, a plateau over kept steps, then the final weights."""
  kept = np.unique(np.geomspace(1, steps, 20).round().astype(int))
  final = OCTAHEDRON * np.array([1, 1, 1, partner, 1, 1])
  kinds = [0.1 * DIRECTIONS] * begins + [DIRECTIONS] * (ends - begins) + [final] * 20
  W = np.stack(kinds[: len(kept)])
  W = np.stack([W, W]).astype(np.float32)
  dims = ("restart", "step", "hidden", "feature")
  return xr.Dataset(
    {
      "history_W": (dims, W),
      "history_b": (("restart", "step", "feature"), np.zeros((2, len(kept), 6), np.float32)),
      "W": (("restart", "hidden", "feature"), W[:, -1]),
      "loss": ("restart", np.ones(2)),
      "finite": ("restart", np.ones(2)),
      "feature_density": (("restart", "feature"), np.full((2, 6), P)),
    },
    {"step": kept, "restart": np.arange(2)},
  )


def analysed(dataset: xr.Dataset) -> xr.Dataset:
  return analysis.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in analysis.claims(dataset)]


def test_claims_follow_the_training():
  right = analysed(made())
  at = analysis.stages(right.isel(restart=0))
  assert (at.onset, at.leaves, at.splitting) == (4, 13, 14)
  assert at.onset < at.plateau < at.leaves
  assert verdicts(right).count(CONFIRMED) == 8
  assert len(figure.draw(right).axes) >= 5
  short = verdicts(analysed(made(begins=12)))
  assert short[0] == CONTRADICTED
  missed = verdicts(analysed(made(partner=-1.0)))
  assert missed[-3:] == [CONTRADICTED] * 3
  assert set(verdicts(analysed(made(steps=1000)))) <= {UNDECIDED, "reported"}


@pytest.mark.parametrize(
  ("field", "value"),
  [("model.n_hidden", 2), ("data.set_size", 2), ("history.num", 0)],
)
def test_other_experiments_are_refused(field, value):
  changed = learning_dynamics_geometry.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError):
    config.resolve(changed)
