"""A ReLU in the hidden layer: verdicts on known solutions at the paper's seven densities."""

import numpy as np
import pytest
import xarray as xr

from configs import privileged_basis
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments import restarts
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.experiments.privileged_basis import EXPERIMENT, figure

CONFIG = {
  "model.name": "relu_hidden",
  "importance.profile": "geometric",
  "importance.ratio": 0.75,
}
DENSITIES = privileged_basis.DENSITIES
# Of monosemantic neurons and of represented features at each density, of shared neurons at three
# densities, and of a code at two.
N_ROWS = 7 + 7 + 3 + 2
PAIRS = [(a, b) for a in range(5) for b in range(a)]  # of neurons, one for each of ten features


def code_of(pairs) -> np.ndarray:
  """Returns W in which feature i has a pair of neurons."""
  W = np.zeros((5, 10))
  for i, pair in enumerate(pairs):
    W[list(pair), i] = 0.7
  return W


def solutions() -> np.ndarray:
  """Returns W at every density, as the paper describes it."""
  binary = np.zeros((5, 10))
  binary[[0, 3, 4], [0, 6, 7]] = 1  # three monosemantic neurons
  binary[1:3, 1:4] = 0.8 * np.array([(1, 1), (1, -1), (-1, 1)]).T
  two_pure, one_pure = np.eye(2, 10), np.eye(1, 10)
  five_in_three = 0.7 * np.array([[1, 1, 1, 0, 0], [1, 0, 0, 1, 1], [0, 1, -1, 1, -1]])
  six_in_four = 0.7 * np.array(
    [[1, 1, 1, 0, 0, 0], [1, 0, 0, 1, 1, 0], [0, 1, 0, 1, 0, 1], [0, 0, 1, 0, 1, 1]]
  )
  two_pure = np.vstack([two_pure, np.hstack([np.zeros((3, 2)), five_in_three, np.zeros((3, 3))])])
  one_pure = np.vstack([one_pure, np.hstack([np.zeros((4, 1)), six_in_four, np.zeros((4, 3))])])
  eight = code_of(PAIRS[:8])
  return np.array([np.eye(5, 10), binary, two_pure, one_pure, eight, eight, code_of(PAIRS)])


def made(W: np.ndarray, n_restarts: int) -> xr.Dataset:
  """Returns results whose restarts all have the weights W, and the first one the lowest loss."""
  dataset = datasets.dataset(
    W=np.repeat(W[:, None], n_restarts, axis=1),
    axes={"density": DENSITIES, "restart": range(n_restarts)},
    config=CONFIG,
    loss=np.where(np.arange(n_restarts) == 0, 1.0, 2.0),
    measured=(),
  )
  one = dataset["loss"] * 0 + 1
  return dataset.assign(
    shortlist_round=one.astype(np.int8),
    judged_difference=dataset["loss"] - 1,
    difference_error=0.01 * one,
    judged_loss=one[:, 0],
  )


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


def test_the_paper_s_solutions_confirm_every_statement():
  rows = EXPERIMENT.claims(made(solutions(), 100))
  assert [row.verdict for row in rows] == [CONFIRMED] * N_ROWS
  assert [int(row.measured.split()[0]) for row in rows[:7]] == [5, 3, 2, 1, 0, 0, 0]
  assert [int(row.measured.split(";")[0]) for row in rows[7:14]] == [5, 6, 7, 7, 8, 8, 10]
  shared = [row.measured.split(";")[0] for row in rows if "they share" in row.statement]
  assert shared == ["3 features in 2 neurons", "5 features in 3 neurons", "6 features in 4 neurons"]


def test_solutions_of_other_densities_contradict_all_but_equal_numbers():
  rows = verdicts(made(np.roll(solutions(), 1, axis=0), 100))
  monosemantic = [False, False, False, False, False, True, True]
  represented = [False, False, False, True, False, True, False]
  equal = [*monosemantic, *represented, *[False] * 5]
  assert rows == [CONFIRMED if same else CONTRADICTED for same in equal]


def test_dense_regimes_need_20_restarts_and_sparse_ones_100():
  assert verdicts(made(solutions(), 19)) == [UNDECIDED] * N_ROWS
  rows = EXPERIMENT.claims(made(solutions(), 24))
  for row in rows:
    dense = any(f"p = {p})" in row.statement for p in (0.75, 0.35))
    assert row.verdict == (CONFIRMED if dense else UNDECIDED)


def test_a_tie_between_agreement_and_disagreement_decides_nothing():
  dataset = made(solutions(), 100)
  for k in range(7):
    dataset["W"][k, 1] = dataset["W"][6 - k if k != 3 else 0, 0].values
  # Errors of the paired difference, and not its share of the loss, make a tie.
  for difference, expected in ((0.019, UNDECIDED), (0.021, CONFIRMED), (-0.021, UNDECIDED)):
    dataset["judged_difference"][:, 1] = difference
    # The rival at p = .15 has no monosemantic neuron, which agrees with "at most 2".
    assert set(np.delete(verdicts(dataset), 2)) == {expected}


def test_a_rival_that_left_in_an_earlier_round_may_be_a_tie_too():
  dataset = made(solutions(), 100)
  dataset["W"][0, 1:3] = dataset["W"][6, 0].values
  dataset["shortlist_round"][0] = 3
  dataset["shortlist_round"][0, 1] = 1
  for error, expected in ((0.6, UNDECIDED), (0.4, CONFIRMED)):
    dataset["difference_error"][0, 1] = error
    row = EXPERIMENT.claims(dataset)[0]
    assert row.verdict == expected
    assert "0 at 100.00% ± 1.00% more loss" in row.measured  # of the later round


def test_the_verdict_is_on_neurons_of_either_sign_and_both_numbers_are_shown():
  W = solutions()
  W[0, 1] *= -1
  dataset = made(W, 100)
  row = EXPERIMENT.claims(dataset)[0]
  assert row.verdict == CONFIRMED
  assert row.measured.startswith("5 (4 with a positive weight) in the best of 100 restarts; ")
  assert "more than 90% of Σw²" in row.statement
  assert "5 of 5 monosemantic\n(4 positive)" in figure.draw(dataset).axes[0].get_title()


def test_results_without_paired_differences_decide_nothing():
  dataset = made(solutions(), 100).drop_vars("shortlist_round")
  assert verdicts(dataset) == [UNDECIDED] * N_ROWS


def test_densities_that_the_paper_does_not_name_have_no_claims():
  dataset = made(solutions(), 100).assign_coords(density=np.linspace(0.9, 0.8, 7))
  assert not EXPERIMENT.claims(dataset)


def test_the_shortlist_decides_which_restart_is_the_best():
  good, bad = np.zeros((5, 10)), np.zeros((5, 10))
  good[:5, :5] = np.eye(5)
  dataset = datasets.dataset(
    W=np.array([[bad, good, good]]),
    axes={"density": [0.75], "restart": [0, 1, 2]},
    config=CONFIG,
    # Wrong about restart 0; restart 2 is not on the list.
    loss=[0.1, 0.2, 0.3],
    measured=(),
  )
  again = restarts.shortlisted(dataset, [(2, 2048)], meshes.make_mesh(setup.devices(1)))
  loss = again["shortlist_loss"].values[0]
  importance = 0.75 ** np.arange(10)
  second_moment = 0.75 / 3
  assert loss[0] == pytest.approx(second_moment * importance.sum(), rel=0.05)
  assert loss[1] == pytest.approx(second_moment * importance[5:].sum(), rel=0.1)
  assert np.isnan(loss[2])
  assert int(restarts.best(again)["restart"][0]) == 1


def test_the_figure_has_two_panels_per_density():
  drawn = figure.draw(made(solutions(), 2))
  assert len(drawn.axes) == 14
  assert "5 of 5 monosemantic" in drawn.axes[0].get_title()


@pytest.mark.parametrize(
  ("field", "value"),
  [("model.name", "relu_output"), ("model.n_hidden", 6), ("importance.ratio", 0.7)],
)
def test_other_models_and_importances_are_refused(field, value):
  config = privileged_basis.get_config("quick")
  config.update_from_flattened_dict({field: value})
  with pytest.raises(UserError, match=rf"config\.{field}: .*'privileged_basis'"):
    resolve(config)
