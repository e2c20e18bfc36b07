"""The phase diagram of correlated pairs: cosines within them, and losses beside known codes."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import style

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} {what}; map and lines through dots: their mean"
LINES = {"linear": ":", "merged": "-", "one of each": "--"}


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: a map of the mean |cosine|, its spread over ρ, and losses over ρ."""
  dataset = dataset.sortby("density").sortby("correlation")
  with style.style():
    figure = style.figure(11.6, 3.8)
    panels = figure.subplots(1, 3, width_ratios=[1.1, 1, 1.3])
    picture = _draw_map(panels[0], dataset["within"].mean("restart"))
    figure.colorbar(picture, ax=panels[0])
    panels[0].set_title("mean |cosine| within pairs")
    _draw_cosines(panels[1], dataset)
    _draw_losses(panels[2], dataset)
    n, m = 16, 4
    figure.suptitle(f"{n} features in {n // 2} pairs of correlation ρ, {m} dimensions")
  return figure


def _colours(dataset: "xr.Dataset") -> list[tuple[float, float, float, float]]:
  return [colormaps["viridis"](x) for x in np.linspace(0, 0.85, dataset.sizes["density"])]


def _draw_map(axes: Axes, mean: "xr.DataArray"):
  """Draws the mean |cosine| of every cell, with its number."""
  values = mean.transpose("density", "correlation").values
  picture = axes.imshow(values, vmin=0, vmax=1, cmap="magma", origin="lower", aspect="auto")
  for (i, j), value in np.ndenumerate(values):
    colour = "white" if value < 0.6 else "black"
    axes.text(j, i, f"{value:.2f}", ha="center", va="center", color=colour, fontsize="small")
  axes.set_xticks(range(values.shape[1]), [f"{x:g}" for x in mean["correlation"].values])
  axes.set_yticks(range(values.shape[0]), [f"{x:g}" for x in mean["density"].values])
  axes.set(xlabel="correlation ρ", ylabel="density p")
  return picture


def _draw_cosines(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws every training's mean |cosine| over ρ, with that of random directions."""
  x = dataset["correlation"].values
  for colour, p in zip(_colours(dataset), dataset["density"].values, strict=True):
    each = dataset["within"].sel(density=p).transpose("correlation", "restart").values
    axes.plot(x, each, "o", color=colour, markersize=2.5, alpha=0.4, markeredgewidth=0)
    axes.plot(x, each.mean(axis=1), color=colour, linewidth=1.2, label=f"p = {p:g}")
  chance = float(dataset["chance"])
  axes.axhline(chance, color="0.5", linewidth=0.8, linestyle="--", label="random directions")
  axes.set(xlabel="correlation ρ", ylabel="mean |cosine| within pairs", ylim=(0, 1.03))
  axes.legend(fontsize="small", loc="lower right", bbox_to_anchor=(1, 0.02))


def _draw_losses(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws every training's loss, as a share of the variance, with the exact ones of known codes."""
  x = dataset["correlation"].values
  for colour, p in zip(_colours(dataset), dataset["density"].values, strict=True):
    part = dataset.sel(density=p)
    total = float(part["total_variance"])
    each = part["loss"].transpose("correlation", "restart").values / total
    axes.plot(x, each, "o", color=colour, markersize=2.5, alpha=0.4, markeredgewidth=0)
    for name, line in LINES.items():
      y = part["code_loss"].sel(code=name).values / total
      axes.plot(x, y, line, color=colour, linewidth=1)
  for name, line in LINES.items():
    label = {"linear": "best linear code", "merged": "merged pairs"}.get(name, "one of each pair")
    axes.plot([], [], line, color="0.3", linewidth=1, label=label)
  axes.set(xlabel="correlation ρ", ylabel="loss / variance")
  axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
