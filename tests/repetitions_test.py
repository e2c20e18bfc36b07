"""Repetitions under any name: which axes they are, the best of them, and their summary."""

import copy
import dataclasses

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from scipy import stats

import toy_superposition as ts
from tests import datasets
from toy_superposition import experiments
from toy_superposition.config import base
from toy_superposition.devices import meshes, setup
from toy_superposition.repetitions import as_restarts, repetitions
from toy_superposition.report import explorer, panels

LOSS = np.array([[3, 1, 2], [1, 3, 2.0]])
W = np.random.default_rng(0).normal(size=(2, 3, 2, 5))


def made(name: str = "seed", **config) -> xr.Dataset:
  """Returns models at two densities, each trained three times."""
  known = {f"axis.{name}.scale": "restarts", f"axis.{name}.field": "", "train.steps": 10}
  axes = {"density": [0.1, 0.3], name: range(3)}
  return datasets.dataset(axes=axes, config=known | config, loss=LOSS, W=W)


@pytest.mark.parametrize("name", ["restart", "seed", "attempt"])
def test_restarts_may_be_called_anything(name):
  best = ts.best(made(name))
  np.testing.assert_array_equal(best[name], [1, 0])
  np.testing.assert_array_equal(best["loss"], [1, 1])
  assert best["W"].dims == ("density", "hidden", "feature")


def test_an_axis_over_the_seed_repeats_and_one_over_another_field_does_not():
  over_seed = made("draw", **{"axis.draw.scale": "points", "axis.draw.field": "seed"})
  assert repetitions(over_seed) == ["draw"]
  rate = made("seed", **{"axis.seed.scale": "points", "axis.seed.field": "train.learning_rate"})
  assert repetitions(rate) == []
  assert ts.best(rate)["loss"].shape == (2, 3)


def test_the_models_of_a_source_are_not_repetitions_of_each_other():
  of_source = {"axis.restart.scale": "source", "source": "introduction"}
  assert repetitions(made("restart", **of_source)) == []


def test_the_best_along_a_named_axis_and_an_unknown_one():
  np.testing.assert_array_equal(ts.best(made(), over="density")["density"], [0.3, 0.1, 0.1])
  best = ts.best(made(), over=("density", "seed"))
  assert best["loss"].dims == () and float(best["loss"]) == 1
  with pytest.raises(ts.UserError, match=r"no axis 'sed'; did you mean 'seed'.*density, seed"):
    ts.best(made(), over="sed")


def test_two_axes_of_repetitions_are_ranked_together_and_become_one():
  both = made("seed").expand_dims(restart=[0, 1])
  both = both.assign(loss=both["loss"] + xr.DataArray([1.0, 0], dims="restart"))
  assert ts.best(both)["loss"].dims == ("density",)
  np.testing.assert_array_equal(ts.best(both)["restart"], [1, 1])
  joined = as_restarts(both)
  assert dict(joined["loss"].sizes) == {"density": 2, "restart": 6}
  assert "restart" in joined["W"].dims


def test_pictures_and_panels_take_restarts_under_any_name():
  for draw in (ts.plots.dimensionality, ts.plots.dimensions_per_feature):
    ours, theirs = Figure().subplots(), Figure().subplots()
    draw(made("restart"), ours)
    draw(made("attempt"), theirs)
    for one, other in zip(ours.get_lines(), theirs.get_lines(), strict=True):
      np.testing.assert_array_equal(one.get_xydata(), other.get_xydata())
  ((panel, *_),) = panels.make([{"": made("attempt")}])
  assert panel.data == explorer.data(made("restart"), panels.ROOM)


def test_a_summary_has_mean_students_interval_and_the_restart_of_minimum_loss():
  data = made()
  data["finite"][1, 1] = 0
  found = ts.summary(data, over="seed")
  assert found["statistic"].values.tolist() == ["mean", "low", "high", "best"]
  np.testing.assert_array_equal(found["n_finite"], [3, 2])
  for k, counted in enumerate(([3, 1, 2], [1, 2])):
    mean, low, high, best = found["loss"].isel(density=k).values
    interval = stats.t.interval(0.95, len(counted) - 1, np.mean(counted), stats.sem(counted))
    np.testing.assert_allclose([mean, low, high, best], [np.mean(counted), *interval, 1])
  norm = data["feature_norm"].isel(seed=1, density=0)
  np.testing.assert_allclose(found["feature_norm"].sel(density=0.1, statistic="best"), norm)
  assert "W" not in found and "95 %" in found.attrs["interval"]
  xr.testing.assert_identical(ts.summary(data), found)


def test_a_summary_of_one_restart_has_no_interval():
  found = ts.summary(made().isel(seed=[0]))["loss"]
  assert found.sel(statistic=["low", "high"]).isnull().all()
  np.testing.assert_array_equal(found.sel(statistic="mean"), LOSS[:, 0])


@pytest.mark.parametrize(
  ("call", "words"),
  [
    (lambda data: ts.summary(ts.best(data)), "no restarts or seeds; its axes are: density"),
    (lambda data: ts.summary(data, over="restart"), "no axis 'restart'.*density, seed"),
    (lambda data: ts.summary(data, level=95.0), r"level: 95\.0 is not allowed"),
    (lambda data: ts.summary(data.drop_vars("loss")), "the variable 'loss' is missing"),
  ],
)
def test_a_summary_without_repetitions_is_refused(call, words):
  with pytest.raises(ts.UserError, match=words):
    call(made())


def test_a_sweep_is_a_copy_with_axes_of_any_name():
  config = base.get_config()
  swept = ts.sweep(
    config, density=[1, 0.1], n_hidden=[2, 3], rate=base.log("train.learning_rate", 1, 2, 2), seed=4
  )
  assert config.axes == () and swept.axes == ("density", "n_hidden", "rate", "seed")
  fields = [swept.axis[name].field for name in swept.axes]
  assert fields == ["density.base", "model.n_hidden", "train.learning_rate", ""]
  assert swept.axis.seed.num == 4 and swept.axis.density.points == (1, 0.1)
  assert copy.deepcopy(swept) == ts.sweep(swept, **dict(swept.axis))
  with pytest.raises(ts.UserError, match=r"'ratio': it could be density\.ratio or importance\."):
    ts.sweep(config, ratio=[1, 2])
  with pytest.raises(ts.UserError, match=r"'densty': no field.*did you mean 'density'"):
    ts.sweep(config, densty=[1, 2])


def test_an_experiment_has_its_claims_and_figure_whatever_its_restarts_are_called():
  found = {}
  for name in ("restart", "attempt"):
    config = ts.sweep("introduction:quick", density=[1, 0.1], **{name: 2})
    config.train.steps = config.train.batch_size = config.evaluation.n_samples = 16
    found[name] = ts.run(config)
  theirs = found["attempt"]
  assert theirs["loss"].dims == ("density", "attempt")
  assert ts.claims(theirs) == ts.claims(found["restart"]) != []
  assert "best of 2 restarts" in ts.draw(theirs).get_supxlabel()
  xr.testing.assert_equal(theirs.rename(attempt="restart"), found["restart"])
  rate = ts.sweep("introduction:quick", density=[1, 0.1], learning_rate=[0.1, 0.2])
  with pytest.raises(ts.UserError, match=r"learning_rate.*restart"):
    ts.run(rate)


def test_the_variables_of_an_experiment_have_the_config_s_name_of_the_restarts():
  data = made("attempt")
  row = experiments.get("introduction")
  computed = dataclasses.replace(row, run=lambda named, *_: named.assign(x=named["loss"] + 1))
  found = computed.computed(data, meshes.make_mesh(setup.devices(1)), 1)
  assert found["x"].dims == ("density", "attempt")
  assert found.attrs["section"] == row.section
