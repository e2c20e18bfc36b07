"""Capacities over features, trained and of the optimum, and how near training comes to it."""

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments.capacity.analysis import kurtosis
from toy_superposition.experiments.capacity.claims import NEAR
from toy_superposition.experiments.restarts import with_restarts

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} {what}"
FLOOR = 1e-5  # relative excess below which all is drawn at the lower edge


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: a panel of capacities per ratio of importances, and one of losses."""
  dataset = with_restarts(dataset).sortby("density", ascending=False).sortby("ratio")
  ratios = dataset["ratio"].values
  colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, dataset.sizes["density"]))
  with style.style():
    figure = style.figure(3.0 * (len(ratios) + 1), 3.6)
    panels = np.ravel(figure.subplots(1, len(ratios) + 1, squeeze=False))
    for axes, ratio in zip(panels[:-1], ratios, strict=True):
      _draw_capacities(axes, dataset.sel(ratio=ratio), colours)
      axes.set_title(f"importance {ratio:g}ⁱ" if ratio < 1 else "equal importance (sorted)")
    panels[0].set_ylabel("capacity $C_i$: share of a dimension")
    _draw_losses(panels[-1], dataset, colours)
    handles = [
      mpl.lines.Line2D([], [], color=colour, marker="o", markersize=3, label=_name(float(p)))
      for p, colour in zip(dataset["density"].values, colours, strict=True)
    ]
    style.legend_below(figure, handles=handles, ncols=len(handles), fontsize="small")
    n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
    figure.suptitle(f"{n} features in {m} dimensions of squares; lines: optimum")
  return figure


def _name(density: float) -> str:
  return f"p = {density:g}, κ = {kurtosis(density):.3g}"


def _draw_capacities(axes: Axes, dataset: "xr.Dataset", colours: np.ndarray) -> None:
  found = dataset["capacity"].transpose("density", "restart", "feature").values
  theory = dataset["optimum_capacity"].transpose("density", "feature").values
  if float(dataset["ratio"]) == 1:  # features are exchangeable
    found, theory = -np.sort(-found, axis=-1), -np.sort(-theory, axis=-1)
  x = np.arange(found.shape[-1]) + 1
  for k, colour in enumerate(colours):
    axes.plot(x, theory[k], color=colour, linewidth=1.2, zorder=2)
    shift = 0.3 * (k / max(len(colours) - 1, 1) - 0.5)
    axes.plot(x + shift, found[k].T, "o", color=colour, markersize=2.5, alpha=0.5, zorder=3)
  axes.set(xlabel="feature", ylim=(-0.03, 1.05), xticks=x[:: max(len(x) // 6, 1)])


def _draw_losses(axes: Axes, dataset: "xr.Dataset", colours: np.ndarray) -> None:
  excess = (dataset["exact_loss"] / dataset["optimum_loss"] - 1).transpose("density", ...)
  rng = np.random.default_rng(0)
  for k, colour in enumerate(colours):
    each = np.maximum(np.ravel(excess.values[k]), FLOOR)
    axes.plot(
      k + rng.uniform(-0.25, 0.25, each.size), each, "o", color=colour, markersize=2.5, alpha=0.6
    )
  axes.axhline(NEAR, color="0.5", linewidth=0.8, linestyle="--")
  axes.text(-0.4, 1.15 * NEAR, f"{100 * NEAR:g} %", color="0.4", fontsize="small")
  names = [f"{kurtosis(p):.3g}" for p in dataset["density"].values.tolist()]
  axes.set(
    yscale="log",
    ylim=(FLOOR / 1.5, max(0.03, 2 * float(excess.max()))),
    xticks=range(len(names)),
    xticklabels=names,
    xlabel="kurtosis κ",
    title="trained loss over the optimum − 1",
  )
