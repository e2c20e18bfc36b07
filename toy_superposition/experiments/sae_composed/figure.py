"""Latents found for features and for pairs, and the cost of the code over its least, by λ."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from toy_superposition.drawing import spread, style

if TYPE_CHECKING:
  import xarray as xr

SPREAD = spread.MEAN
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd")


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: one line per probability that a set is active."""
  dataset = dataset.sortby("sparsity").transpose("density", "sparsity", "seed", ...)
  x = dataset["sparsity"].values
  size = dataset.sizes["feature"] // 2
  panels = {
    "features_found": ("features with a latent of their own", 2 * size),
    "pairs_found": ("pairs with a latent of their own", size**2),
  }
  with style.style():
    figure = style.figure(9.6, 3.6)
    grid = np.ravel(figure.subplots(1, 3))
    for axes, (name, (label, most)) in zip(grid, panels.items(), strict=False):
      for i, colour in zip(range(dataset.sizes["density"]), COLOURS, strict=False):
        _line(axes, x, dataset[name].values[i], colour, _label(dataset, i, size))
      axes.axhline(most, color="0.6", linewidth=0.8, linestyle=":")
      axes.set(ylabel=label, ylim=(-0.03 * most, 1.08 * most))
    for i, colour in zip(range(dataset.sizes["density"]), COLOURS, strict=False):
      least = dataset["objective_bound"].values[i]
      _line(grid[2], x, dataset["objective"].values[i] / least, colour, "")
      ratio = (dataset["objective_features"].values[i] / least).mean(axis=-1)
      grid[2].plot(x, ratio, "--", color=colour, linewidth=1)
    grid[2].axhline(1, color="0.6", linewidth=0.8, linestyle=":")
    grid[2].set(ylabel="cost over the least possible")
    grid[2].text(0.98, 0.98, "dashed: features alone", transform=grid[2].transAxes, **TOP_RIGHT)
    for axes in grid:
      axes.set(xlabel="penalty λ")
    grid[0].legend(fontsize="small", title="sets active")
    figure.suptitle(f"Two sets of {size} exclusive features, {dataset.sizes['latent']} latents")
  return figure


TOP_RIGHT = {"ha": "right", "va": "top", "fontsize": "small", "color": "0.3"}


def _label(dataset: "xr.Dataset", i: int, size: int) -> str:
  return f"q = {size * float(dataset['density'].values[i]):.2g}"


def _line(axes, x: np.ndarray, values: np.ndarray, colour: str, label: str) -> None:
  """Draws every seed as a point, and their mean as a line."""
  axes.plot(x, values, "o", color=colour, markersize=3, alpha=0.4)
  axes.plot(x, values.mean(axis=-1), color=colour, linewidth=1.2, label=label)
