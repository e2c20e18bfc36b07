"""|x| of three features in six neurons: verdicts on the exact solution, and on broken ones."""

import numpy as np
import pytest
import xarray as xr

from configs import absolute_value_small
from tests import datasets
from toy_superposition import evaluation
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments import restarts
from toy_superposition.experiments.absolute_value_small import EXPERIMENT, figure
from toy_superposition.experiments.absolute_value_small.claims import has_two_neurons_each
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED

MESH = meshes.make_mesh(setup.devices(1))
CONFIG = {
  "model.name": "absolute_value",
  "data.distribution": "sparse_signed_uniform",
  "data.target": "absolute",
  "density.base": 1.0,
}
W1 = 2 * np.concatenate([np.eye(3), -np.eye(3)])
W2 = np.concatenate([np.eye(3), np.eye(3)], axis=1) / 2
# One sign of feature 0 has two neurons, and the other sign has none.
ONE_SIGN = W1 * np.array([1, 1, 1, -1, 1, 1])[:, None]


def made(W1, loss) -> xr.Dataset:
  return datasets.dataset(
    W1=W1, W2=W2, axes={"restart": range(len(loss))}, config=CONFIG, loss=loss, measured=()
  )


def analysed(W1, loss) -> xr.Dataset:
  return EXPERIMENT.run(made(W1, loss), MESH, 2**30)


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


@pytest.fixture(scope="module")
def exact():
  return analysed(W1, [0.0])


def test_the_exact_solution_confirms_every_statement(exact):
  assert float(exact["unrotated_loss"][0]) == pytest.approx(0, abs=1e-10)
  assert verdicts(exact) == [CONFIRMED, CONFIRMED, CONFIRMED]


def test_a_missing_sign_is_not_exact_and_leaves_the_neurons_undecided():
  dataset = analysed(ONE_SIGN, [0.1])
  assert float(dataset["unrotated_loss"][0]) > 1e-3
  assert verdicts(dataset)[:2] == [CONTRADICTED, UNDECIDED]


def test_other_neurons_at_a_loss_of_0_contradict_the_pairs(exact):
  dataset = exact.assign(W1=exact["W1"] * 1.1)  # W₁ W₂ = 1.1
  assert verdicts(dataset)[:2] == [CONFIRMED, CONTRADICTED]


def test_the_best_restart_decides_and_the_others_are_counted(exact):
  dataset = analysed(np.stack([ONE_SIGN, W1]), [0.1, 0.0])
  rows = EXPERIMENT.claims(dataset)
  assert [row.verdict for row in rows] == [CONFIRMED] * 3
  own, other = (float(dataset["unrotated_loss"][k]) for k in (1, 0))
  assert rows[0].measured == f"{own:.1e}; 1 of 2 restarts, the best of the others {other:.3g}"
  assert rows[1].measured.startswith("yes; in 1 of 1 restarts")


def test_losses_are_those_on_examples_that_did_not_rank_the_restarts(exact):
  unlucky = exact.assign(unrotated_loss=exact["unrotated_loss"] + 1e-4)
  row = EXPERIMENT.claims(unlucky)[0]
  assert row.verdict == CONTRADICTED and row.measured.startswith("1.0e-04; 1 of 1")
  other = analysed(ONE_SIGN, [0.5])
  ranked = restarts.batch_losses(other, 8192, evaluation.RANKING, MESH).mean("batch")
  judged = restarts.batch_losses(other, 8192, evaluation.JUDGING, MESH).mean("batch")
  assert float(other["unrotated_loss"][0]) == pytest.approx(float(judged[0]), rel=1e-5)
  assert float(judged[0]) != pytest.approx(float(ranked[0]), rel=1e-4)
  assert f"the best of the others {float(judged[0]):.3g}" in EXPERIMENT.claims(other)[0].measured


def test_rotations_without_effect_contradict_that_they_matter(exact):
  dataset = exact.assign(unrotated_loss=exact["unrotated_loss"] + 1)
  dataset = dataset.assign(rotated_loss=dataset["rotated_loss"] * 0 + 1)
  assert verdicts(dataset)[2] == CONTRADICTED


@pytest.mark.parametrize("change", ["a second feature", "W₁ W₂ = 1.1", "one sign", "silent"])
def test_pairs_are_two_pure_neurons_of_opposite_sign_and_gain_1_for_each_feature(change):
  assert has_two_neurons_each(W1, W2)
  assert has_two_neurons_each(5 * W1, W2 / 5)
  changed = {"W₁ W₂ = 1.1": 1.1 * W1, "one sign": ONE_SIGN}.get(change, W1.copy())
  if change == "a second feature":
    changed[0, 1] = 1
  elif change == "silent":
    changed[0] = 0
  assert not has_two_neurons_each(changed, W2)


def test_the_figure_is_one_panel(exact):
  (axes,) = figure.draw(exact).axes
  assert "6 of 6" in axes.get_title(loc="left")


@pytest.mark.parametrize(
  ("field", "value"),
  [("density.base", 0.1), ("model.n_hidden", 5), ("importance.base", 1e-6)],
)
def test_other_settings_are_refused(field, value):
  config = absolute_value_small.get_config("quick")
  config.update_from_flattened_dict({field: value})
  with pytest.raises(UserError, match=rf"config\.{field}: .*'absolute_value_small'"):
    resolve(config)
