"""Recovery, detection and reconstruction over the number of latents that are on."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from toy_superposition.drawing import spread, style

if TYPE_CHECKING:
  import xarray as xr

SPREAD = spread.MEAN
PANELS = {
  "mcc": "MCC: agreement with the true directions",
  "f1": "F1 of assigned latents as detectors",
  "fvu": "fraction of variance unexplained",
}


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: three scores over k, every seed a point."""
  dataset = dataset.sortby("k").transpose("k", "seed", ...)
  k, truth = dataset["k"].values, float(dataset["active"].mean())
  with style.style():
    figure = style.figure(9.6, 3.4)
    grid = np.ravel(figure.subplots(1, 3))
    for axes, (name, label) in zip(grid, PANELS.items(), strict=True):
      values = dataset[name].values
      axes.plot(k, values, "o", color="#1f77b4", markersize=3, alpha=0.5)
      axes.plot(k, values.mean(axis=1), color="#1f77b4", linewidth=1.2)
      axes.axvline(truth, color="0.5", linewidth=0.8, linestyle=":")
      axes.set(xscale="log", xlabel="k: latents that are on", ylabel=label, ylim=(0, None))
      axes.set_xticks(k, [f"{x:g}" for x in k])
      axes.minorticks_off()
    by_chance = float(dataset["mcc_chance"].mean())
    grid[0].axhline(by_chance, color="0.3", linewidth=0.8, linestyle="--")
    grid[0].text(k[-1], by_chance, "chance", ha="right", va="bottom")
    n, m, d = (dataset.sizes[dim] for dim in ("feature", "input", "latent"))
    figure.suptitle(
      f"{n} correlated features in {m} dimensions, {d} latents; dotted: {truth:.1f} features are on"
    )
  return figure
