"""Linear hidden layer beside one with a ReLU: verdicts on rotations, purities and neurons."""

import numpy as np
import pytest
import xarray as xr

from configs import rotation_invariance
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments import rotations
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  IDENTITY,
  REPORTED,
  UNDECIDED,
)
from toy_superposition.experiments.rotation_invariance import EXPERIMENT, analysis, figure
from toy_superposition.geometry.rotations import random_rotations

MODELS = ["relu_output", "relu_hidden"]
CONFIG = {"importance.profile": "geometric", "importance.ratio": 0.75}


def made(W: np.ndarray, densities=analysis.DENSITIES, n_restarts: int = 1) -> xr.Dataset:
  """Returns both models with the same weights; W may have axes of models, densities, restarts."""
  axes = {"model": MODELS, "density": densities, "restart": range(n_restarts)}
  return datasets.dataset(W=W, axes=axes, config=CONFIG, measured=())


def rotated(W: np.ndarray, densities=analysis.DENSITIES) -> xr.Dataset:
  """Returns the analysis of both models with the same weights."""
  return EXPERIMENT.run(made(W, densities), meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset: xr.Dataset) -> list[str]:
  """Returns the verdicts on rotations."""
  return [row.verdict for row in EXPERIMENT.claims(dataset)][:2]


def of_bases(W: np.ndarray, n_restarts: int = 8) -> list[str]:
  """Returns the verdicts on purities and neurons of models that need not be rotated."""
  dataset = analysis.with_purity(made(W, n_restarts=n_restarts))
  losses = dataset["loss"]
  dataset = dataset.assign(
    unrotated_loss=losses, rotated_loss=losses.expand_dims(rotation=2, axis=-1)
  )
  return [row.verdict for row in EXPERIMENT.claims(dataset)][2:]


def in_random_bases(W: np.ndarray, n_restarts: int = 8) -> np.ndarray:
  """Returns the weights in a random basis for each density and restart."""
  rotation = random_rotations(np.random.default_rng(5), 2 * n_restarts, 5)
  return (rotation @ W).reshape(2, n_restarts, *W.shape)


@pytest.fixture(scope="module")
def monosemantic():
  return rotated(np.eye(5, 10))


def test_one_feature_per_hidden_unit_survives_rotations_without_a_relu_only(monosemantic):
  assert verdicts(monosemantic) == [IDENTITY, CONFIRMED]


def test_the_loss_without_rotation_is_that_of_the_features_left_out(monosemantic):
  # The five that are represented are reproduced exactly by both models.
  for p in analysis.DENSITIES:
    expected = p / 3 * (0.75 ** np.arange(5, 10)).sum()
    np.testing.assert_allclose(monosemantic["unrotated_loss"].sel(density=p), expected, rtol=0.1)
  assert dict(monosemantic["rotated_loss"].sizes) == {
    "model": 2,
    "density": 2,
    "restart": 1,
    "rotation": rotations.ROTATIONS,
  }


def test_a_relu_without_any_feature_contradicts_that_rotations_matter():
  assert verdicts(rotated(np.zeros((5, 10)))) == [IDENTITY, CONTRADICTED]


def test_losses_of_0_decide_nothing():
  assert verdicts(rotated(np.eye(5, 10), densities=(0.0, 0.1))) == [UNDECIDED, UNDECIDED]


@pytest.fixture(scope="module")
def side_by_side():
  """W of both models as in the paper: a random basis beside a neuron for each feature."""
  W = np.eye(5, 10)
  return np.stack([in_random_bases(W), np.broadcast_to(W, (2, 8, 5, 10))])


def test_a_random_basis_beside_a_neuron_for_each_feature_confirms_the_paper(side_by_side):
  # Linear at both densities, with a ReLU at both, and the neurons of both.
  assert of_bases(side_by_side) == [*[CONFIRMED] * 3, REPORTED, *[CONFIRMED] * 2]


def test_the_two_models_exchanged_contradict_every_statement_on_bases(side_by_side):
  assert of_bases(side_by_side[::-1]) == [*[CONTRADICTED] * 3, REPORTED, *[CONTRADICTED] * 2]


def test_seven_seeds_do_not_decide_what_a_basis_means(side_by_side):
  found = of_bases(side_by_side[:, :, :7], n_restarts=7)
  assert found == [*[UNDECIDED] * 3, REPORTED, *[UNDECIDED] * 2]


def test_a_purity_is_compared_with_that_of_the_same_weights_in_random_bases(side_by_side):
  dataset = analysis.with_purity(made(side_by_side, n_restarts=8))
  relu = dataset.sel(model="relu_hidden")
  np.testing.assert_allclose(relu["purity"], 1)
  # Five squares that add up to 1, uniform on the sphere: the largest is .55 on average.
  rng = np.random.default_rng(1)
  squares = rng.normal(size=(4000, 5)) ** 2
  expected = (squares.max(axis=1) / squares.sum(axis=1)).mean()
  assert float(relu["rotated_purity"].mean()) == pytest.approx(expected, abs=0.01)
  assert float(analysis.z_score(relu).min()) > 5


def test_a_change_above_round_off_contradicts_invariance(monosemantic):
  dataset = monosemantic.copy(deep=True)
  dataset["rotated_loss"][0, 0, 0, 3] = (1 + 1e-3) * dataset["unrotated_loss"][0, 0, 0]
  assert verdicts(dataset) == [CONTRADICTED, CONFIRMED]


def test_the_figure_has_a_panel_per_model_and_density_and_one_for_the_changes(monosemantic):
  drawn = figure.draw(monosemantic)
  assert [axes.get_title() for axes in drawn.axes][:4] == ["5 of 5\nmonosemantic"] * 4
  assert len(drawn.axes) == 5


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("axis.model.points", ("relu_output", "linear")),
    ("axis.model.points", ("relu_hidden",)),
    # The loss is so small that round-off changes it by more than 1e-5.
    ("axis.density.points", (0.75, 0.01)),
    ("axis.density.points", (0.1,)),
    ("model.n_hidden", 1),
  ],
)
def test_other_models_and_densities_are_refused(field, value):
  config = rotation_invariance.get_config("quick")
  config.update_from_flattened_dict({field: value})
  with pytest.raises(UserError, match=rf"config\.{field}: .*'rotation_invariance'"):
    resolve(config)


def test_the_models_may_be_listed_in_any_order():
  config = rotation_invariance.get_config("quick")
  config.axis.model.points = tuple(reversed(MODELS))
  assert resolve(config).experiment == "rotation_invariance"
