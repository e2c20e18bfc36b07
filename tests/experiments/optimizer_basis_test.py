"""Axes that an optimizer privileges: verdicts on columns on the axes, off them, and at random."""

import numpy as np
import pytest
import xarray as xr

from configs import optimizer_basis
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, REPORTED, UNDECIDED
from toy_superposition.experiments.optimizer_basis import EXPERIMENT, figure
from toy_superposition.experiments.optimizer_basis.analysis import z_score


def columns(kind: str, rng: np.random.Generator) -> np.ndarray:
  """Returns W with its columns on the axes, in random directions, or with coordinates ±1/√m."""
  if kind == "axes":
    return np.eye(16, 64) + np.roll(np.eye(16, 64), 16, axis=1)
  if kind == "random":
    return rng.normal(size=(16, 64)) / 4
  return rng.choice([-0.25, 0.25], size=(16, 64))


def compared(adam: str, sgd: str, loss=(1.0, 1.01), n_seeds: int = 8) -> xr.Dataset:
  """Returns the analysis of models whose columns are of one kind for each optimizer."""
  rng = np.random.default_rng(5)
  W = [[columns(kind, rng) for _ in range(n_seeds)] for kind in (adam, sgd)]
  dataset = datasets.dataset(
    W=np.array(W),
    axes={"optimizer": ["adam", "sgd"], "restart": range(n_seeds)},
    loss=np.array(loss)[:, None],
    measured=(),
  )
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


@pytest.fixture(scope="module")
def equal_after_adam():
  return compared("equal", "random")


def test_equal_coordinates_after_adam_and_random_ones_after_sgd_confirm_it(equal_after_adam):
  assert verdicts(equal_after_adam) == [CONFIRMED, CONFIRMED, REPORTED, CONFIRMED]
  z = z_score(equal_after_adam).mean("restart")
  assert float(z.sel(optimizer="adam")) < -3  # equal coordinates have the smallest fourth moment


def test_the_reverse_contradicts_it():
  assert verdicts(compared("random", "axes"))[:2] == [CONTRADICTED, CONTRADICTED]


def test_different_losses_leave_the_axes_undecided_and_contradict_that_they_are_equal():
  rows = verdicts(compared("equal", "random", loss=(1.0, 1.5)))
  assert rows == [UNDECIDED, UNDECIDED, REPORTED, CONTRADICTED]


def test_fewer_than_8_seeds_decide_nothing():
  assert set(verdicts(compared("equal", "random", n_seeds=7))) == {UNDECIDED, REPORTED}


def test_short_columns_do_not_count():
  dataset = compared("axes", "axes")
  with_noise = dataset.copy(deep=True)
  with_noise["W"][..., 32:] = 0.05  # the columns that were 0
  again = EXPERIMENT.run(with_noise, meshes.make_mesh(setup.devices(1)), 2**30)
  np.testing.assert_allclose(again["fourth_moment"], 1)


def test_the_figure_has_moments_and_scores(equal_after_adam):
  assert len(figure.draw(equal_after_adam).axes) == 2


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.name", "relu_hidden"),
    ("model.name", "linear"),  # Adam does not privilege its axes
    ("importance.base", 1.0),
    ("train.weight_decay", 0.1),
    ("axis.optimizer.points", ("adam", "adamw")),
  ],
)
def test_other_models_losses_and_optimizers_are_refused(field, value):
  config = optimizer_basis.get_config("quick")
  config.update_from_flattened_dict({field: value})
  with pytest.raises(UserError, match=rf"config\.{field}: .*'optimizer_basis'"):
    resolve(config)


def test_weight_decay_of_sgd_is_refused_also_if_the_base_optimizer_has_none():
  config = optimizer_basis.get_config("quick")
  config.train.optimizer = "adam"
  config.train.weight_decay = 0.1
  with pytest.raises(UserError, match="weight_decay"):
    resolve(config)
