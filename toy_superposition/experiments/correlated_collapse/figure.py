"""Three correlated pairs: how many are collapsed at each density, and the best models' arrows."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from toy_superposition.drawing import plots, style
from toy_superposition.drawing.sets import set_colours
from toy_superposition.experiments.correlated_collapse import theory
from toy_superposition.experiments.correlated_collapse.analysis import best_of

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "grey: shares of {n} {what}; black and arrows: the best by loss"
MARKED = (0.02, 0.05, 0.1, 0.2, 0.5)
SHOWN = 7  # densities whose best model is drawn


def mark_densities(axes: Axes) -> None:
  """Makes the horizontal axis logarithmic, with densities as its ticks."""
  axes.set(xscale="log", xlabel="density $p$ of a pair")
  axes.set_xticks(MARKED, [f"{p:g}" for p in MARKED])
  axes.xaxis.set_minor_locator(NullLocator())


def draw_numbers(axes: Axes, dataset: "xr.Dataset", best: "xr.Dataset") -> Axes:
  """Draws the number of collapsed pairs against density: best model, all fits, paper, PCA."""
  density, n_pairs = dataset["density"].values, dataset.sizes["feature"] // 2
  number = dataset["collapsed_pairs"].transpose("density", ...).values.reshape(len(density), -1)
  for k in range(n_pairs + 1):
    share = (number == k).mean(axis=1)
    label = "restarts (area: their share)" if k == 0 else None
    axes.scatter(density, np.full(len(density), k), s=140 * share, color="0.8", label=label)
  for (low, high), k in theory.PAPER_BANDS.items():
    left = max(low, density[0])
    label = "the paper's bands" if low == 0 else None
    axes.plot([left, high], [k + 0.14] * 2, color="tab:red", linewidth=3, label=label)
  axes.axhline(n_pairs, color="tab:purple", linewidth=0.9, linestyle="--", label="PCA")
  axes.plot(density, best["collapsed_pairs"], "o-", color="black", markersize=4, label="best")
  mark_densities(axes)
  axes.set(ylabel="collapsed pairs", yticks=range(n_pairs + 1), ylim=(-0.3, n_pairs + 0.4))
  axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(0, 0.9))
  return axes


def draw_share(axes: Axes, best: "xr.Dataset") -> Axes:
  """Draws the best model's loss as a share of PCA's."""
  axes.plot(best["density"], best["loss"] / best["pca_loss"], "o-", color="black", markersize=4)
  axes.axhline(1, color="tab:purple", linewidth=0.9, linestyle="--")
  axes.set(ylim=(0, 1.1))
  mark_densities(axes)
  axes.set_ylabel("loss / loss of PCA")
  return axes


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: numbers and losses above, weights of the best models below."""
  dataset = dataset.sortby("density")
  best = best_of(dataset)
  n, m = best.sizes["feature"], best.sizes["hidden"]
  chosen = np.unique(np.linspace(0, best.sizes["density"] - 1, SHOWN).round().astype(int))
  with style.style():
    figure = style.figure(11, 5.2)
    grid = figure.add_gridspec(2, 1, height_ratios=(1.7, 1))
    above, below = (figure.add_subfigure(grid[k]) for k in range(2))
    left, right = above.subplots(1, 2, width_ratios=(1.6, 1))
    draw_numbers(left, dataset, best)
    draw_share(right, best)
    panels = [below.add_subplot(1, len(chosen), k + 1) for k in range(len(chosen))]
    for k, axes in zip(chosen, panels, strict=True):
      cell = best.isel(density=k)
      plots.arrows(cell, axes, colours=set_colours(n, 2), limit=1.25)
      number = int(cell["collapsed_pairs"])
      axes.set_title(f"$p$ = {float(cell['density']):.2g}: {number} collapsed")
    figure.suptitle(f"{n} features in {m} dimensions: correlated pairs collapse as they get denser")
  return figure
