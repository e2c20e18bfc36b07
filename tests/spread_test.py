"""Every figure with more than one training says which spread it shows."""

import importlib
import string

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tests import datasets
from toy_superposition import experiments
from toy_superposition.drawing import plots, spread, style

FIELDS = {"n", "what", "excess", "low", "high"}
DRAWN = [name for name in experiments.NAMES if experiments.get(name).figure]


def made(loss, name: str = "restart") -> xr.Dataset:
  axes = {"density": [0.1, 0.3], name: range(np.shape(loss)[1])}
  config = {f"axis.{name}.scale": "restarts", f"axis.{name}.field": ""}
  return datasets.dataset(axes=axes, config=config, loss=loss, W=np.ones((2, 3)))


@pytest.mark.parametrize("name", DRAWN)
def test_every_figure_declares_its_spread(name):
  row = experiments.get(name)
  text = importlib.import_module(f"toy_superposition.experiments.{name}.figure").SPREAD
  assert {field for _, field, _, _ in string.Formatter().parse(text) if field} <= FIELDS
  repeated = {"", spread.DICTIONARY} & {*row.axes.values(), *row.optional_axes.values()}
  axes = {*row.axes, *row.optional_axes} & {"restart", "seed"}
  if repeated and axes and text != spread.NONE:
    assert "{n}" in text or "{low}" in text
  assert text != spread.NONE or not row.axes or name in {"compressed_sensing"}


def test_a_figure_of_experiments_gets_the_line_and_one_of_a_single_training_none():
  figure = Figure()
  figure.suptitle("title")
  spread.say(figure, made([[1.0], [2]]), spread.BEST)
  assert not figure.get_supxlabel()
  spread.say(figure, made([[1.0, 3], [2, 2.2]], "seed"), spread.MEAN)
  assert figure.get_supxlabel() == "dots: 2 seeds; lines: their mean"
  assert figure.get_suptitle() == "title"


def test_a_legend_below_the_plots_has_the_line_as_its_title():
  figure = Figure()
  style.legend_below(figure, handles=[Line2D([], [], label="one")])
  spread.say(figure, made([[1.0, 3], [2, 2.2]], "seed"), spread.MEAN)
  assert figure.legends[0].get_title().get_text() == "dots: 2 seeds; lines: their mean"
  assert not figure.get_supxlabel()


def test_the_losses_of_the_others_are_told_relative_to_the_best_or_as_they_are():
  data = made([[1.0, 1.1, 1.5], [2, 8, 2.2]])
  data["finite"][1, 1] = 0
  assert spread.sentence(data, "{excess}") == "10 % higher in the median, at most 50 %"
  assert spread.sentence(data, "{low} to {high}") == "1 to 2.2"
  zero = made([[0, 0.5], [1, 2.0]])
  assert spread.sentence(zero, "{excess}") == "0.75 higher in the median, at most 1"
  ranked = made([[9.0, 1], [9, 1]]).assign(shortlist_loss=zero["loss"])
  assert spread.sentence(ranked, "{excess}") == spread.sentence(zero, "{excess}")
  gone = data.assign(finite=0 * data["finite"])
  assert spread.sentence(gone, spread.BEST).endswith("not finite")


def test_dictionaries_are_trainings_with_other_random_numbers():
  data = made([[1.0, 2], [1, 2]], "draw")
  data["draw"].attrs["config_field"] = spread.DICTIONARY
  data.attrs["config"] = data.attrs["config"].replace('"restarts"', '"points"')
  assert spread.sentence(data, "{n} {what}") == "2 dictionaries"


def test_pictures_of_a_sweep_say_how_many_trainings_they_show():
  axes = plots.dimensions_per_feature(made([[1.0, 2], [1, 2]]), Figure().subplots())
  legend = axes.get_legend()
  assert legend and [t.get_text() for t in legend.get_texts()] == ["range of 2 trainings", "mean"]
  assert (
    "2 trainings"
    in plots.dimensionality(made([[1.0, 2], [1, 2]]), Figure().subplots()).get_ylabel()
  )
  assert plots.dimensions_per_feature(made([[1.0], [2]]), Figure().subplots()).get_legend() is None
