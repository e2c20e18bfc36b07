"""The asymmetric superposition motif: verdicts on models with and without it."""

import numpy as np
import pytest
import xarray as xr

from configs import asymmetric_superposition
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.asymmetric_superposition import EXPERIMENT, figure
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, REPORTED, UNDECIDED


def made(n_restarts: int = 16) -> xr.Dataset:
  """Returns models that contain the motif once; the first one has the lowest loss, by far."""
  W1, W2 = np.zeros((n_restarts, 10, 6)), np.zeros((n_restarts, 6, 10))
  W1[:, 0, :2], W1[:, 1, :3] = (2, -0.5), (0.4, 0, 2)
  W2[:, :2, 0], W2[:, 1, 1] = (0.5, 2), -3
  dataset = datasets.dataset(
    W1=W1,
    W2=W2,
    axes={"restart": range(n_restarts)},
    config={"model.name": "absolute_value"},
    loss=np.arange(float(n_restarts)),
    measured=(),
  )
  one = dataset["loss"] * 0 + 1
  return dataset.assign(
    shortlist_loss=dataset["loss"].where(dataset["loss"] < 4),
    shortlist_round=one.astype(np.int8).where(dataset["loss"] >= 4, 2),
    judged_difference=dataset["loss"],
    difference_error=0.1 * dataset["loss"],
  )


def without_inhibitor(dataset: xr.Dataset, restarts: slice) -> xr.Dataset:
  changed = dataset.copy(deep=True)
  changed["W2"][restarts, 1, 1] = 0
  return changed


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


def test_models_that_contain_the_motif_confirm_it():
  rows = EXPERIMENT.claims(made())
  assert [row.verdict for row in rows] == [CONFIRMED, CONFIRMED, REPORTED]
  assert rows[2].measured == "7.5000, –"


def test_a_best_restart_without_an_inhibitor_contradicts_that_it_contains_the_motif():
  rows = verdicts(without_inhibitor(made(), slice(1)))
  assert rows == [CONFIRMED, CONTRADICTED, REPORTED]


def test_a_best_restart_that_ties_with_another_decides_nothing_if_only_one_has_the_motif():
  dataset = made()
  for error, verdict, tied in ((0.4, CONFIRMED, "1 of the 1"), (0.6, UNDECIDED, "1 of the 2")):
    dataset["difference_error"][1] = error  # at a difference of 1
    row = EXPERIMENT.claims(without_inhibitor(dataset, slice(1, 2)))[1]
    assert row.verdict == verdict
    assert row.measured.startswith(f"1 times; in {tied} restarts")
  assert EXPERIMENT.claims(dataset)[1].verdict == CONFIRMED  # both have it
  without = dataset.drop_vars("shortlist_round")
  assert EXPERIMENT.claims(without)[1].verdict == UNDECIDED


def test_the_analysis_finds_the_best_restart_on_fresh_examples():
  dataset = made(4).drop_vars(
    ["shortlist_loss", "shortlist_round", "judged_difference", "difference_error"]
  )
  dataset["b"][:3] = 5.0  # far from |x|, whatever the losses of training say
  mesh = meshes.make_mesh(setup.devices(1))
  result = EXPERIMENT.run(dataset, mesh, 2**30)
  assert int(np.nanargmin(result["shortlist_loss"].values)) == 3
  one = dataset.isel(restart=0)
  assert EXPERIMENT.run(one, mesh, 2**30) is one


def test_the_motif_in_less_than_half_of_the_restarts_contradicts_its_share():
  assert verdicts(without_inhibitor(made(), slice(8, None)))[0] == CONFIRMED
  assert verdicts(without_inhibitor(made(), slice(7, None)))[0] == CONTRADICTED


def test_fewer_than_16_restarts_decide_nothing():
  assert verdicts(made(15)) == [UNDECIDED, UNDECIDED, REPORTED]


def test_the_figure_shows_a_circuit_per_motif():
  drawn = figure.draw(made())
  assert [axes.axison for axes in drawn.axes] == [False, False]
  assert "neuron 0 stores features 0 and 1" in drawn.axes[0].get_title()
  assert drawn.axes[1].get_title() == ""


@pytest.mark.parametrize(
  ("field", "value"),
  [("data.target", "identity"), ("density.base", 0.1), ("model.n_features", 7)],
)
def test_other_settings_are_refused(field, value):
  config = asymmetric_superposition.get_config("quick")
  config.update_from_flattened_dict({field: value})
  with pytest.raises(UserError, match=rf"config\.{field}: .*'asymmetric_superposition'"):
    resolve(config)
