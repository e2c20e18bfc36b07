"""Vulnerability to attacks and features per dimension, against density and each other."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments import restarts
from toy_superposition.experiments.adversarial.analysis import features_per_dimension

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} {what}; lines: the best by loss"
READINGS = (
  ("universal", "one worst direction for all", "#b0352b", "o"),
  ("per_example", "worst direction of each example", "#c58b3c", "s"),
)
FEATURES = "#2a5d9c"


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: vulnerability and features per dimension against 1/(1−S), and against each
  other."""
  dataset = dataset.sortby("density", ascending=False)
  best = restarts.best(dataset)
  x = 1 / best["density"].values
  features = features_per_dimension(best).values
  with style.style():
    figure = style.figure(11, 3.5)
    first, second, third = figure.subplots(1, 3)
    for name, label, colour, marker in READINGS:
      ratio = best[f"vulnerability_{name}"].values
      first.plot(x, ratio, f"{marker}-", color=colour, markersize=4, label=label)
      third.plot(features, ratio, marker, color=colour, markersize=5)
    all_restarts = dataset["vulnerability_universal"].transpose("density", ...).values
    first.plot(x, all_restarts.reshape(len(x), -1), ".", color="#b0352b", alpha=0.5, markersize=3)
    first.legend(fontsize="small")
    first.set_title("vulnerability")
    first.set_ylabel("relative to no superposition")
    second.plot(x, features, "o-", color=FEATURES, markersize=4)
    every = features_per_dimension(dataset).transpose("density", ...).values
    second.plot(x, every.reshape(len(x), -1), ".", color=FEATURES, alpha=0.5, markersize=3)
    second.set_title("superposition")
    second.set_ylabel(r"features per dimension, $\|W\|^2 / m$")
    for axes in (first, second):
      axes.set(xlabel="$1/(1-S)$", xscale="log", xticks=[1, 2, 3, 5, 10])
      axes.set_xticklabels(["1", "2", "3", "5", "10"])
      axes.minorticks_off()
    third.set_title("one against the other")
    third.set(xlabel=r"features per dimension, $\|W\|^2 / m$", ylabel="vulnerability")
    for axes in (first, third):
      axes.set_yscale("log", base=2)
      high = float(np.nanmax(best["vulnerability_per_example"]))
      ticks = [tick for tick in (1, 2, 3, 5, 8, 12, 16) if tick <= 1.1 * high]
      axes.set_yticks(ticks, [str(tick) for tick in ticks])
      axes.minorticks_off()
    n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
    figure.suptitle(f"Attacks of a tenth of the mean input: {n} features in {m} dimensions")
  return figure
