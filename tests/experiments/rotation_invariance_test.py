"""Rotations of the hidden layer: verdicts on invariant models and on others."""

import numpy as np
import pytest
import xarray as xr

from configs import rotation_invariance
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments import rotations
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, IDENTITY, UNDECIDED
from toy_superposition.experiments.rotation_invariance import EXPERIMENT, figure

MODELS = ["relu_output", "relu_hidden"]
CONFIG = {"importance.profile": "geometric", "importance.ratio": 0.75}


def rotated(W: np.ndarray, density: float = 0.1) -> xr.Dataset:
  """Returns the analysis of both models with the same weights."""
  dataset = datasets.dataset(
    W=W,
    axes={"model": MODELS, "restart": [0]},
    config=CONFIG | {"density.base": density},
    measured=(),
  )
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


@pytest.fixture(scope="module")
def monosemantic():
  return rotated(np.eye(5, 10))


def test_one_feature_per_hidden_unit_survives_rotations_without_a_relu_only(monosemantic):
  assert verdicts(monosemantic) == [IDENTITY, CONFIRMED]


def test_the_loss_without_rotation_is_that_of_the_features_left_out(monosemantic):
  # The five that are represented are reproduced exactly by both models.
  expected = 0.1 / 3 * (0.75 ** np.arange(5, 10)).sum()
  np.testing.assert_allclose(monosemantic["unrotated_loss"], expected, rtol=0.1)
  assert dict(monosemantic["rotated_loss"].sizes) == {
    "model": 2,
    "restart": 1,
    "rotation": rotations.ROTATIONS,
  }


def test_a_relu_without_any_feature_contradicts_that_rotations_matter():
  assert verdicts(rotated(np.zeros((5, 10)))) == [IDENTITY, CONTRADICTED]


def test_losses_of_0_decide_nothing():
  assert verdicts(rotated(np.eye(5, 10), density=0.0)) == [UNDECIDED, UNDECIDED]


def test_a_change_above_round_off_contradicts_invariance(monosemantic):
  dataset = monosemantic.copy(deep=True)
  dataset["rotated_loss"][0, 0, 3] = (1 + 1e-3) * dataset["unrotated_loss"][0, 0]
  assert verdicts(dataset) == [CONTRADICTED, CONFIRMED]


def test_the_figure_has_a_panel_per_model_and_one_for_the_changes(monosemantic):
  assert len(figure.draw(monosemantic).axes) == 3


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("axis.model.points", ("relu_output", "linear")),
    ("axis.model.points", ("relu_hidden",)),
    ("density.base", 0.01),  # the loss is so small that round-off changes it by more than 1e-5
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
