"""Forty neurons for |x| of one hundred features: verdicts on models with known neurons."""

import json

import numpy as np
import pytest
import xarray as xr

from configs import absolute_value
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.absolute_value import EXPERIMENT, figure
from toy_superposition.experiments.absolute_value.claims import PAPER
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED

CONFIG = {
  "model.name": "absolute_value",
  "data.distribution": "sparse_signed_uniform",
  "data.target": "absolute",
  "importance.profile": "geometric",
  "importance.ratio": 0.8,
}


def made(pure, feature_loss: float = 1e-8, measured=()) -> xr.Dataset:
  """Returns models with so many monosemantic neurons at each density, whose loss rises by
  .1 under rotations. The monosemantic neurons are those of the most important features."""
  W1 = np.zeros((7, 1, 40, 100))
  for p, count in enumerate(pure):
    W1[p, 0, np.arange(40), np.arange(40) // 2] = 1
    W1[p, 0, count:, 50] = np.linspace(0.5, 1.5, 40 - count)
  dataset = datasets.dataset(
    W1=W1,
    W2=np.zeros((100, 40)),
    axes={"density": absolute_value.DENSITIES, "restart": [0]},
    config=CONFIG,
    loss=100 * feature_loss,
    measured=measured,
  )
  return dataset.assign(
    feature_loss=xr.full_like(dataset["b"], feature_loss),
    unrotated_loss=dataset["loss"],
    rotated_loss=0.1 + dataset["loss"].expand_dims(rotation=2),
  )


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


def test_the_counts_of_the_paper_s_figure_confirm_every_statement():
  rows = EXPERIMENT.claims(made(PAPER.values()))
  assert [row.verdict for row in rows] == [CONFIRMED] * 9
  assert rows[6].measured == "40, 40, 32, 22, 14, 24, 0"


def test_mixed_neurons_when_dense_and_pure_ones_when_sparse_contradict_it():
  rows = verdicts(made([40, 30, 32, 22, 31, 24, 3]))
  assert rows[:4] == [CONFIRMED, CONTRADICTED, CONTRADICTED, CONTRADICTED]


def test_counts_near_the_paper_s_may_have_another_order_and_others_the_same():
  near = [38, 40, 30, 22, 18, 20, 0]  # the two densest change places, each within 4
  assert verdicts(made(near))[6:8] == [CONFIRMED, CONFIRMED]
  assert verdicts(made([40, 40, 20, 10, 4, 15, 0]))[6:8] == [CONTRADICTED, CONFIRMED]
  assert verdicts(made([40, 40, 32, 22, 14, 0, 0]))[6:8] == [CONTRADICTED, CONTRADICTED]


def test_pure_neurons_of_unimportant_features_contradict_the_correlation():
  dataset = made(PAPER.values())
  dataset["W1"][:] = dataset["W1"].values[..., ::-1].copy()
  assert verdicts(dataset)[4:6] == [CONTRADICTED, CONTRADICTED]


def test_rotations_that_change_little_contradict_that_they_matter():
  dataset = made(PAPER.values())
  dataset["rotated_loss"] = dataset["rotated_loss"] - 0.0999  # 100 times the loss, which is near 0
  assert verdicts(dataset)[-1] == CONTRADICTED


def test_models_no_better_than_the_output_0_decide_nothing():
  # The lowest density has the lowest loss of output 0: 5 p / 3 over all features.
  dataset = made(PAPER.values(), feature_loss=1.0)
  assert set(verdicts(dataset)[:8]) == {UNDECIDED}


def test_short_trainings_decide_nothing():
  dataset = made(PAPER.values())
  values = json.loads(dataset.attrs["config"])
  for steps, expected in ((999, UNDECIDED), (1000, CONFIRMED)):
    dataset.attrs["config"] = json.dumps(values | {"train.steps": steps})
    assert set(verdicts(dataset)[:8]) == {expected}


def test_densities_that_were_not_trained_decide_nothing():
  dataset = made(PAPER.values()).sel(density=[1.0, 0.03])
  rows = verdicts(dataset)
  assert rows == [
    *(CONFIRMED, UNDECIDED, UNDECIDED, UNDECIDED, CONFIRMED, *[UNDECIDED] * 3, CONFIRMED)
  ]


def test_the_analysis_adds_losses_after_rotations():
  dataset = made(PAPER.values()).isel(density=[0, 6])
  dataset = dataset.drop_vars(["unrotated_loss", "rotated_loss"])
  result = EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)
  assert result["rotated_loss"].dims == ("density", "restart", "rotation")
  # The output is 0 whatever the rotation, since W₂ is 0.
  assert verdicts(result)[-1] == CONTRADICTED
  expected = (0.8 ** np.arange(100)).sum() / 3
  assert float(result["unrotated_loss"][0, 0]) == pytest.approx(expected, rel=0.02)


def test_the_figure_has_a_panel_per_density_dense_first():
  drawn = figure.draw(made(PAPER.values(), measured=EXPERIMENT.measures))
  *panels, bar = drawn.axes
  assert len(panels) == 7 and "superposition" in bar.get_ylabel()
  assert "40 of 40" in panels[0].get_title(loc="left")
  assert "0 of 40" in panels[-1].get_title(loc="left")


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.n_hidden", 20),
    ("importance.ratio", 0.9),
    ("data.distribution", "sparse_uniform"),
    ("train.weight_decay", 0.01),
  ],
)
def test_other_settings_are_refused(field, value):
  config = absolute_value.get_config("quick")
  config.update_from_flattened_dict({field: value})
  with pytest.raises(UserError, match=rf"config\.{field}: .*'absolute_value'"):
    resolve(config)
