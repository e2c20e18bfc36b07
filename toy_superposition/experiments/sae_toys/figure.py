"""Recovery and reconstruction over density, with chance and bound."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments.dictionaries import bound

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} {what}; lines: their mean; band: one standard deviation of chance"


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: left, MCC with chance and bound; right, what stays unexplained, and L0."""
  dataset = dataset.sortby("density")
  x = dataset["density"].values
  others = [dim for dim in dataset["mcc"].dims if dim != "density"]
  with style.style():
    figure = style.figure(9.6, 3.8)
    left, right = figure.subplots(1, 2)
    score = dataset["mcc"].transpose("density", ...).values.reshape(len(x), -1)
    left.plot(x, score, "o", color="#1f77b4", markersize=3, alpha=0.4)
    left.plot(x, score.mean(axis=1), color="#1f77b4", linewidth=1.3, label="autoencoders, mean")
    chance = dataset["mcc_chance"].mean(others).values
    error = dataset["mcc_chance_std"].mean(others).values
    left.plot(x, chance, color="0.3", linestyle="--", linewidth=0.9, label="random decoders")
    left.fill_between(x, chance - error, chance + error, color="0.8", linewidth=0)
    best = np.array([np.mean(bound(dataset.sel(density=p))) for p in x])
    left.plot(x, best, color="#2ca02c", linestyle=":", linewidth=1.3, label="exact bound")
    left.set(ylabel="MCC with represented features", ylim=(0, 1.04))
    left.legend(fontsize="small", loc="lower left")
    for name, label, colour in (
      ("fvu", "fraction of variance unexplained", "#d62728"),
      ("f1", "F1 of assigned latents", "#9467bd"),
    ):
      values = dataset[name].transpose("density", ...).values.reshape(len(x), -1)
      right.plot(x, values, "o", color=colour, markersize=3, alpha=0.4)
      right.plot(x, values.mean(axis=1), color=colour, linewidth=1.3, label=label)
    right.set(ylim=(0, 1.04))
    right.legend(fontsize="small")
    for axes in (left, right):
      axes.set(xscale="log", xlabel="density p of the features")
    n, m, d = (dataset.sizes[dim] for dim in ("feature", "input", "latent"))
    figure.suptitle(f"Autoencoders of {d} latents on toy models of {n} features in {m} dimensions")
  return figure
