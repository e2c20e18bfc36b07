"""The penalty on hidden activations: what hand-made models say about it."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import base
from configs import l1_superposition as settings
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.experiments.l1_superposition import claims as analysis
from toy_superposition.experiments.l1_superposition import figure
from toy_superposition.geometry import features

N, M = 6, 2
PENTAGON = 2 * np.pi * np.arange(N) / N
CROWDED = np.array([np.cos(PENTAGON), np.sin(PENTAGON)])
PAIRS = np.array([[1.0, -1, 0, 0, 0, 0], [0, 0, 1, -1, 0, 0]])
ALONE = np.eye(M, N)


def made(models, n_restarts: int = 2) -> xr.Dataset:
  """Returns what the analysis makes of one model per penalty, losses rising with it."""
  dims = ("penalty", "restart")
  W = np.repeat(np.asarray(models, np.float32)[:, None], n_restarts, axis=1)
  superposition = [
    [np.asarray(features.superposition(jnp.asarray(one))) for one in row] for row in W
  ]
  loss = np.repeat(np.linspace(0.01, 0.02, len(models))[:, None], n_restarts, axis=1)
  dataset = xr.Dataset(
    {
      "W": ((*dims, "hidden", "feature"), W),
      "superposition": ((*dims, "feature"), np.asarray(superposition)),
      "loss": (dims, loss),
      "finite": (dims, np.ones(loss.shape, np.int8)),
      "feature_density": ((*dims, "feature"), np.full((*loss.shape, N), 0.05, np.float32)),
    },
    {"penalty": np.linspace(0, 0.1, len(models)), "restart": np.arange(n_restarts)},
  )
  return analysis.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


LEAVING = [CROWDED, 0.9 * CROWDED, PAIRS, 0.9 * PAIRS, ALONE, 0 * ALONE]


def verdicts(dataset):
  return [row.verdict for row in analysis.claims(dataset)][:4]


def test_features_that_leave_superposition_one_by_one_confirm_all():
  dataset = made(LEAVING)
  assert verdicts(dataset) == [CONFIRMED] * 4
  np.testing.assert_array_equal(dataset["n_paired"][:, 0], [0, 0, 4, 4, 0, 0])
  assert analysis.claims(dataset)[4].measured == "0.04, 0.06"
  assert figure.draw(dataset).subfigs


def test_pairs_to_the_end_contradict_that_superposition_leaves_before_the_features():
  dataset = made([*LEAVING[:4], 0.8 * PAIRS, 0 * PAIRS])
  assert verdicts(dataset) == [CONFIRMED, CONFIRMED, CONFIRMED, CONTRADICTED]


def test_features_that_are_not_worth_their_penalty_do_not_count():
  dataset = made(LEAVING)
  dataset["objective"][4] = dataset["empty_objective"][4] + 0.01
  assert verdicts(dataset)[3] == CONTRADICTED


def test_a_curve_that_turns_contradicts_and_few_points_decide_nothing():
  assert verdicts(made([LEAVING[0], *LEAVING[:0:-1]]))[0] == CONTRADICTED
  assert set(verdicts(made(LEAVING[:3]))) == {UNDECIDED}


def test_the_objective_is_the_loss_with_the_penalty():
  dataset = made(LEAVING)
  # One feature of density p and norm 1 has E|h| = p/2; collisions lower the sum, a little.
  added = (dataset["objective"] - dataset["loss"]).isel(penalty=4, restart=0)
  assert float(added) == pytest.approx(0.08 * 2 * 0.05 / 2, rel=0.04)


def test_what_it_is_not_about_is_refused():
  changed = settings.get_config("quick")
  changed.importance.profile = "geometric"
  with pytest.raises(UserError, match=r"importance\.profile"):
    config.resolve(changed)
  changed = settings.get_config("quick")
  base.set_axes(
    changed, penalty=base.points("loss.hidden_l1", (0.1, 0.2)), restart=base.restarts(2)
  )
  with pytest.raises(UserError, match="compares with none"):
    config.resolve(changed)
