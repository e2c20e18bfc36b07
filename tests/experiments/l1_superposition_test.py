"""The penalty on hidden activations: verdicts on crowded features, pairs and single features."""

import numpy as np
import pytest
import xarray as xr

from configs import base
from configs import l1_superposition as settings
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, IDENTITY, UNDECIDED
from toy_superposition.experiments.l1_superposition import EXPERIMENT, figure
from toy_superposition.geometry.components import polygon

N, M = 6, 2
DENSITY = 0.05
CROWDED = polygon(N)
PAIRS = np.array([[1.0, -1, 0, 0, 0, 0], [0, 0, 1, -1, 0, 0]])
ALONE = np.eye(M, N)
LEAVING = [CROWDED, 0.9 * CROWDED, PAIRS, 0.9 * PAIRS, ALONE, 0 * ALONE]


def made(models, n_restarts: int = 2) -> xr.Dataset:
  """Returns the analysis of one model per penalty, with losses that rise with the penalty."""
  dataset = datasets.dataset(
    W=np.asarray(models)[:, None],
    axes={"penalty": np.linspace(0, 0.1, len(models)).tolist(), "restart": list(range(n_restarts))},
    config={"density.base": DENSITY},
    loss=np.linspace(0.01, 0.02, len(models))[:, None],
    measured=EXPERIMENT.measures,
  )
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)][:4]


def test_features_that_leave_superposition_one_by_one_confirm_all():
  dataset = made(LEAVING)
  assert verdicts(dataset) == [CONFIRMED, CONFIRMED, IDENTITY, CONFIRMED]
  np.testing.assert_array_equal(dataset["n_paired"][:, 0], [0, 0, 4, 4, 0, 0])
  np.testing.assert_array_equal(dataset["n_represented"][:, 0], [6, 6, 4, 4, 2, 0])
  assert EXPERIMENT.claims(dataset)[4].measured == "0.04, 0.06"
  assert figure.draw(dataset).subfigs


def test_pairs_to_the_end_contradict_that_superposition_leaves_before_the_features():
  dataset = made([*LEAVING[:4], 0.8 * PAIRS, 0 * PAIRS])
  assert verdicts(dataset) == [CONFIRMED, CONFIRMED, IDENTITY, CONTRADICTED]


def test_pairs_at_the_largest_penalty_contradict_that_it_leaves_none():
  assert verdicts(made([*LEAVING[:5], 0.6 * PAIRS]))[2] == CONTRADICTED


def test_features_that_are_not_worth_their_penalty_do_not_count():
  dataset = made(LEAVING)
  for objective, error in ((0.01, 0.0), (-0.01, 0.006)):  # below, but within two errors
    dataset["judged_objective"][4] = dataset["empty_objective"][4, 0] + objective
    dataset["judged_error"][4] = error
    assert verdicts(dataset)[3] == CONTRADICTED
  dataset["judged_error"][4] = 0.004
  dataset["objective"][4] += 1  # that on the inputs that chose the restart does not count
  assert verdicts(dataset)[3] == CONFIRMED


def test_the_best_restart_s_objective_is_that_on_inputs_that_did_not_choose_it():
  dataset = made(LEAVING)
  assert dataset["judged_objective"].dims == dataset["judged_error"].dims == ("penalty",)
  # Two features alone: what is left is the variance of the others' values, without their biases the
  # second moment.
  expected = (N - 2) * DENSITY / 3 + 0.08 * 2 * DENSITY / 2
  error = float(dataset["judged_error"][4])
  assert abs(float(dataset["judged_objective"][4]) - expected) < 4 * error < 0.02
  assert float(dataset["judged_objective"][0]) != float(dataset["objective"][0].min())


def test_a_curve_that_turns_contradicts_and_few_penalties_decide_nothing():
  assert verdicts(made([LEAVING[0], *LEAVING[:0:-1]]))[0] == CONTRADICTED
  assert set(verdicts(made(LEAVING[:3]))) == {UNDECIDED}


def test_the_objective_is_the_loss_with_the_penalty():
  dataset = made(LEAVING)
  # One feature of density p and norm 1 has E|h| = p/2; collisions lower the sum, a little.
  added = (dataset["objective"] - dataset["loss"]).isel(penalty=4, restart=0)
  assert float(added) == pytest.approx(0.08 * 2 * DENSITY / 2, rel=0.04)


def test_the_empty_model_s_objective_is_the_features_variance():
  rng = np.random.default_rng(1)
  x = rng.uniform(size=400_000) * (rng.uniform(size=400_000) < DENSITY)
  dataset = made(LEAVING)
  assert float(dataset["empty_objective"][0, 0]) == pytest.approx(N * x.var(), rel=0.02)


def test_the_figure_groups_features_by_their_dimension_and_puts_small_ones_last():
  W = np.array([[0, 1.0, 0.2, 0, -1], [1.0, 0, 0, -1, 0]])
  np.testing.assert_array_equal(figure.grouped(W), [[1, -1, 0, 0, 0.2], [0, 0, 1, -1, 0]])


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("importance.profile", "geometric"),
    ("importance.base", 2.0),
    ("loss.reduction", "mean"),
    ("loss.attack", 0.2),
    ("density.base", 1.0),
    ("model.n_features", 5),
    ("axis.penalty", base.points("loss.hidden_l1", (0.1, 1.0))),  # no model without a penalty
    ("axis.penalty", base.points("loss.hidden_l1", (0.0, 0.1))),  # none with a large one
  ],
)
def test_models_that_the_paper_s_remark_is_not_about_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}.*'l1_superposition'.*=none"):
    resolve(changed)
