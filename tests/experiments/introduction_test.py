"""The introduction: verdicts on orthogonal features, pairs and a pentagon, and on other shapes."""

import numpy as np
import pytest
import xarray as xr

from configs import introduction
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.experiments.introduction import EXPERIMENT, figure
from toy_superposition.geometry.components import polygon

ORTHOGONAL = np.eye(2, 5)
PAIRS = np.array([[1.0, 0, -1, 0, 0], [0, 1, 0, -1, 0]])
SHAPES = {1.0: ORTHOGONAL, 0.2: PAIRS, 0.1: polygon(5), 0.05: polygon(5)}


def dataset_of(shapes: dict[float, np.ndarray], n_restarts: int = 2) -> xr.Dataset:
  """Returns models of one shape per density; a second restart is worse, and stores nothing."""
  W = np.zeros((len(shapes), n_restarts, 2, 5))
  W[:, 0] = list(shapes.values())
  axes = {"density": list(shapes), "restart": list(range(n_restarts))}
  return datasets.dataset(W=W, axes=axes, loss=np.arange(n_restarts))


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


def test_the_paper_s_three_shapes_confirm_every_statement():
  assert verdicts(dataset_of(SHAPES)) == [CONFIRMED] * 3
  assert verdicts(dataset_of(SHAPES).isel(restart=0, drop=True)) == [CONFIRMED] * 3
  assert figure.draw(dataset_of(SHAPES)).axes


def test_verdicts_do_not_change_when_models_are_turned_or_axes_exchanged():
  turn = np.array([[0.6, -0.8], [0.8, 0.6]])
  turned = dataset_of({p: turn @ W for p, W in SHAPES.items()})
  assert verdicts(turned.transpose("feature", "restart", "hidden", "density")) == [CONFIRMED] * 3


def test_the_best_restart_decides_and_all_are_counted():
  dataset = dataset_of(SHAPES)
  rows = EXPERIMENT.claims(dataset)
  assert rows[2].measured == "best restart: at 2 of 2 densities; all restarts: 1/2, 1/2"
  dataset["loss"][:] = dataset["loss"].values[:, ::-1]  # the best restart is the one that is empty
  assert verdicts(dataset) == [CONTRADICTED] * 3


@pytest.mark.parametrize(
  ("claim", "density", "W"),
  [
    (0, 1.0, PAIRS),  # more than two features
    (0, 1.0, np.array([[1.0, 0.6, 0, 0, 0], [0, 0.8, 0, 0, 0]])),  # not at right angles
    (1, 0.2, polygon(5)),
    (1, 0.2, ORTHOGONAL),
    (2, 0.1, PAIRS),
    (2, 0.05, 0.8 * polygon(5)),  # directions of a pentagon, but too short
  ],
)
def test_another_shape_contradicts_the_claim_about_its_density_alone(claim, density, W):
  changed = verdicts(dataset_of(SHAPES | {density: W}))
  expected = [CONFIRMED] * 3
  expected[claim] = CONTRADICTED
  assert changed == expected


def test_densities_far_from_the_paper_s_decide_nothing():
  assert verdicts(dataset_of({0.5: ORTHOGONAL})) == [UNDECIDED] * 3


@pytest.mark.parametrize(
  ("field", "value"),
  [("importance.ratio", 0.5), ("model.n_features", 6), ("train.weight_decay", 0.1)],
)
def test_another_problem_is_refused_by_name(field, value):
  changed = introduction.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}: {value}.*'introduction'.*=none"):
    resolve(changed)
