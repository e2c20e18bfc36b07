"""Unexplained shares over the resolution, beside ring and linear code, and columns of codes."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from toy_superposition.drawing import style
from toy_superposition.experiments.feature_circle.theory import ideal_ring_share

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} {what}; lines: the best of them"
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b")  # by m
WORDS = {"one": "one amplitude", "uniform": "random amplitude"}
LEAST = 1e-5  # unexplained shares below are drawn there


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: a row per number of features; shares, and columns of planes."""
  dataset = dataset.sortby("resolution", ascending=False)
  numbers, m = dataset["n"].values, int(dataset["m"].min())
  chosen = np.unique(np.linspace(0, dataset.sizes["resolution"] - 1, 3).astype(int))
  with style.style():
    figure = style.figure(12.6, 3.1 * len(numbers) + 0.5)
    width = [2.2] * dataset.sizes["amplitude"] + [1] * len(chosen)
    grid = figure.subplots(len(numbers), len(width), squeeze=False, width_ratios=width)
    for row, n in zip(grid, numbers, strict=True):
      for axes, amplitude in zip(row, dataset["amplitude"].values, strict=False):
        _draw_shares(axes, dataset.sel(n=n, amplitude=amplitude))
        axes.set_title(f"{n} features, {WORDS[str(amplitude)]}")
      row[0].set_ylabel("unexplained share of the variance")
      for axes, k in zip(row[dataset.sizes["amplitude"] :], chosen, strict=True):
        part = dataset.sel(n=n, m=m).isel(resolution=k, amplitude=0)
        _draw_columns(axes, part["columns"].transpose("axis", "angle").values[:, :n])
        axes.set_title(f"ℓ = {2 * float(part['resolution']):g}", fontsize="small")
    style.legend_below(figure, handles=_legend(dataset), ncols=8)
    figure.suptitle(f"Features tuned to angles; right: columns of the best code, m = {m}")
  return figure


def _draw_shares(axes: Axes, part: "xr.Dataset") -> None:
  """Draws the shares of every restart, of the best, of the ring and of the linear code."""
  x = 2 * part["resolution"].values
  for colour, m in zip(COLOURS, sorted(part["m"].values), strict=False):
    one = part.sel(m=m)
    each = np.maximum(one["fvu"].transpose("resolution", "restart").values, LEAST)
    axes.plot(x, each, "o", color=colour, markersize=2.5, alpha=0.35, markeredgewidth=0)
    axes.plot(x, each.min(axis=1), "-", color=colour, linewidth=1.1)
    ring = np.maximum(one["ring_fvu"].values, LEAST)
    axes.plot(x, ring, "D", color=colour, markersize=5, markerfacecolor="none")
    axes.plot(x, one["linear_fvu"].values, "--", color=colour, linewidth=0.8)
  if str(part["amplitude"].values) == "one":
    line = np.linspace(x.min(), 0.99, 20)
    ideal = [ideal_ring_share(float(at)) for at in line]
    axes.plot(line, ideal, ":", color="black", linewidth=1)
  axes.set(yscale="log", ylim=(0.7 * LEAST, 1.5), xlabel="resolution ℓ")
  axes.invert_xaxis()


def _draw_columns(axes: Axes, W: np.ndarray) -> None:
  """Draws the columns as arrows, neighbours joined."""
  closed = np.concatenate([W, W[:, :1]], axis=1)
  axes.plot(*closed, color="0.75", linewidth=0.8, zorder=0)
  for column in W.T:
    axes.plot(*np.stack([np.zeros(2), column]).T, color="0.4", linewidth=0.8)
  x, y = W
  axes.scatter(x, y, c=np.arange(W.shape[1]), cmap="twilight", s=22, zorder=2, edgecolor="0.3")
  size = 1.15 * np.abs(W).max()
  axes.set(xlim=(-size, size), ylim=(-size, size), xticks=[], yticks=[])
  axes.set_aspect("equal")


def _legend(dataset: "xr.Dataset") -> list[Line2D]:
  """Returns the legend's lines."""
  by_m = [
    Line2D([], [], color=colour, marker="o", markersize=3, label=f"m = {m}")
    for colour, m in zip(COLOURS, sorted(dataset["m"].values), strict=False)
  ]
  ring = Line2D([], [], color="0.3", linestyle="", marker="D", markerfacecolor="none")
  ring.set_label("descent from a ring")
  return [
    *by_m,
    ring,
    Line2D([], [], color="0.3", linestyle="--", linewidth=0.8, label="best linear code"),
    Line2D(
      [], [], color="black", linestyle=":", label="ring of infinitely many (of the mean square)"
    ),
  ]
