"""Stages of training: closed forms, where the stages are, and claims on a constructed training."""

import numpy as np
import pytest
import xarray as xr

from configs import learning_dynamics_geometry as settings
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.experiments.learning_dynamics_geometry import (
  EXPERIMENT,
  analysis,
  figure,
  theory,
)
from toy_superposition.models import AutoencoderParams
from toy_superposition.theory.sets_loss import expected_losses

P = 0.05
OCTAHEDRON = np.concatenate([np.eye(3), -np.eye(3)[:, [1, 2, 0]]], axis=1)
DIRECTIONS = np.repeat(np.eye(3)[:, :2], 3, axis=1) / 3**0.5  # each set is one direction
N_STORED = 20  # steps


# Sets that are hardly one direction, at nearly the plateau's loss.
APART = DIRECTIONS + 0.15 * np.outer([0, 0, 1], [1, -1, 0, 1, -1, 0])


# Past the plateau: three dimensions in use, at more than half of the plateau's loss.
SPLIT = DIRECTIONS + 0.5 * np.outer([0, 0, 1], [1, -1, 0, 1, -1, 0])


def mean_loss(W: np.ndarray) -> float:
  params = AutoencoderParams(W=W.astype(np.float32), b=np.zeros(6, np.float32))
  return float(expected_losses(params, np.array(P), theory.SET_SIZE)) / 6


def test_closed_forms_of_both_stages_are_expected_losses():
  assert mean_loss(DIRECTIONS) == pytest.approx(theory.plateau_loss(P), rel=0.01)
  assert mean_loss(OCTAHEDRON) == pytest.approx(theory.octahedron_loss(P), rel=0.01)


def made(
  final: np.ndarray = OCTAHEDRON,
  plateau: np.ndarray = DIRECTIONS,
  begins: int = 4,
  steps: int = 10_000,
  density: float = P,
  onset: np.ndarray | None = None,
  split: np.ndarray | None = SPLIT,
) -> xr.Dataset:
  """Returns the analysis of two trainings: small weights, a plateau, split sets, the final
  weights; with weights of its own at the plateau's first step, if there is an `onset`."""
  stored = np.unique(np.geomspace(1, steps, N_STORED).round().astype(int))
  ends = 14
  models = [0.1 * plateau] * begins + [plateau] * (ends - begins) + [final] * N_STORED
  if onset is not None:
    models[begins] = onset
  if split is not None:
    models[ends] = split
  W = np.stack([models[: len(stored)]] * 2).astype(np.float32)
  dataset = datasets.dataset(
    W=W[:, -1],
    axes={"restart": [0, 1]},
    config={"density.base": density, "data.distribution": "correlated_sets", "data.set_size": 3},
    measured=(),
  ).assign_coords(step=stored)
  dataset["history_W"] = (("restart", "step", "hidden", "feature"), W)
  dataset["history_b"] = (("restart", "step", "feature"), np.zeros((*W.shape[:2], 6), np.float32))
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


@pytest.fixture(scope="module")
def right() -> xr.Dataset:
  return made()


def test_a_plateau_and_then_an_octahedron_confirm_the_paper(right):
  assert verdicts(right) == [CONFIRMED] * 10
  assert verdicts(right.isel(restart=0, drop=True)) == verdicts(right)
  assert len(figure.draw(right).axes) >= 5


def test_stages_are_where_the_weights_change(right):
  at = analysis.stages(right.isel(restart=0))
  assert (at.onset, at.leaves, at.splitting) == (4, 13, 14)
  assert at.onset < at.plateau < at.leaves


def test_a_loss_that_falls_before_the_third_dimension_is_used_contradicts_the_order(
  right,
):
  assert contradicted(made(split=None)) == (4,)  # both in one step
  early = right.assign(history_expected_loss=right["history_expected_loss"].copy(deep=True))
  early["history_expected_loss"][:, 10:] = theory.octahedron_loss(P)
  assert verdicts(early)[4] == CONTRADICTED


def contradicted(dataset: xr.Dataset) -> tuple[int, ...]:
  return tuple(k for k, verdict in enumerate(verdicts(dataset)) if verdict == CONTRADICTED)


def test_a_short_plateau_contradicts_that_it_lasts():
  assert contradicted(made(begins=12)) == (0,)


def test_without_a_plateau_its_duration_is_contradicted_and_its_model_undecided():
  assert verdicts(made(plateau=0 * DIRECTIONS))[:3] == [CONTRADICTED, UNDECIDED, UNDECIDED]


@pytest.mark.parametrize(
  ("plateau", "claims"),
  [
    (APART, (1, 3)),
    (0.93 * DIRECTIONS, (2,)),  # one direction, but too short
  ],
)
def test_another_model_with_the_plateau_s_loss_contradicts_what_it_has_not(plateau, claims):
  assert mean_loss(plateau) == pytest.approx(theory.plateau_loss(P), rel=analysis.PLATEAU_TOLERANCE)
  assert contradicted(made(plateau=plateau)) == claims


def test_sets_that_are_one_direction_at_the_onset_alone_do_not_count():
  assert contradicted(made(plateau=APART, onset=DIRECTIONS)) == (1, 3)


@pytest.mark.parametrize(
  ("final", "claims"),
  [
    (OCTAHEDRON * np.array([1, 1, 1, -1, 1, 1]), (4, 7, 8, 9)),  # one pair is not opposite
    (0.9 * OCTAHEDRON, (5, 9)),  # the directions of an octahedron, but too short
    (DIRECTIONS + 0.01 * np.eye(3, 6), (4, 5, 6, 7, 8, 9)),  # still on the plateau
  ],
)
def test_another_end_contradicts_what_it_has_not(final, claims):
  assert contradicted(made(final=final)) == claims


def test_few_steps_or_high_densities_decide_nothing():
  assert set(verdicts(made(steps=1000))) == {UNDECIDED}
  assert set(verdicts(made(density=0.1))) == {UNDECIDED}


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.n_hidden", 2),
    ("model.n_features", 9),
    ("data.set_size", 2),
    ("data.distribution", "anticorrelated_sets"),
    ("history.num", 2),
    ("density.base", 0.0),
    ("importance.base", 2.0),
    ("loss.hidden_l1", 0.3),
    ("train.optimizer", "adamw"),  # with its weight decay
  ],
)
def test_another_problem_is_refused_by_name(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  named = "train.weight_decay" if value == "adamw" else field
  with pytest.raises(UserError, match=rf"config\.{named}.*'learning_dynamics_geometry'.*=none"):
    resolve(changed)


def test_short_features_are_drawn_longer_but_within_the_axes():
  W = np.eye(3, 6)
  assert [figure.enlarged(length * W) for length in (0.15, 0.34, 0.6, 1.2, 0.0)] == [6, 2, 1, 1, 1]
