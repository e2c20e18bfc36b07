"""The manifold's share of WᵀW and the loss over m, for every manifold, with the linear optimum."""

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from toy_superposition.drawing import style
from toy_superposition.experiments.correlated_geometry.analysis import ALL

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "points: mean of {n} {what}; bars: their range"
COLOURS = ("#1f77b4", "#ff7f0e", "#d62728", "#9467bd")  # by decay
LOOKS: dict[str, tuple[str, Any]] = {
  "linear": ("s", ":"),
  "relu_output": ("o", "-"),
}  # marker and line
WORDS = {"linear": "linear", "relu_output": "ReLU"}
TITLES = {"figure_eight": "figure-eight", "independent": "independent (circle's coordinates)"}
MATRICES = ("circle", "relu_output")  # whose WᵀW are drawn


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: a column per manifold, and the circle's matrices WᵀW on the right."""
  dataset = dataset.sortby("m").sortby("decay")
  manifolds = dataset["manifold"].values
  with style.style():
    figure = style.figure(2.6 * len(manifolds) + 2.6, 5.0)
    grid = figure.add_gridspec(2, len(manifolds) + 1)
    for k, manifold in enumerate(manifolds):
      part = dataset.sel(manifold=manifold)
      axes = [figure.add_subplot(grid[row, k]) for row in range(2)]
      _draw_lines(axes[0], part["harmonic_share"])
      chance = float(part["chance_share"].isel(m=0))
      axes[0].axhline(chance, color="0.5", linewidth=0.8, linestyle="--", zorder=0)
      axes[0].set(title=TITLES.get(str(manifold), manifold), ylim=(0, 1.04))
      _draw_lines(axes[1], part["loss"])
      optimum = part["linear_optimum"].values
      axes[1].plot(part["m"].values, optimum, color="black", linewidth=1, linestyle="--", zorder=3)
      axes[1].set(xlabel="hidden dimensions m", ylim=(0, 1.1 * float(dataset["loss"].max())))
      if not k:
        axes[0].set_ylabel("share of WᵀW in the\nmanifold's coordinates")
        axes[1].set_ylabel("expected loss")
    _draw_matrices([figure.add_subplot(grid[row, -1]) for row in range(2)], dataset)
    style.legend_below(figure, handles=_legend(dataset), ncols=9)
    figure.suptitle("Twelve binary features with a common cause")
  return figure


def _draw_lines(axes: Axes, values: "xr.DataArray") -> None:
  """Draws mean and range over restarts against m, one line per model and decay."""
  order = [dim for dim in ALL if dim in values.dims]
  values = values.transpose(*order)
  for model in values["model"].values:
    marker, line = LOOKS[str(model)]
    for colour, decay in zip(COLOURS, values["decay"].values, strict=False):
      y = values.sel(model=model, decay=decay).values
      x, mean = values["m"].values, y.mean(axis=1)
      axes.vlines(x, y.min(axis=1), y.max(axis=1), color=colour, linewidth=1)
      axes.plot(x, mean, line, color=colour, marker=marker, markersize=3.5, linewidth=1.1)
  axes.set_xticks(values["m"].values)


def _draw_matrices(panels: list[Axes], dataset: "xr.Dataset") -> None:
  """Draws WᵀW of the circle's ReLU models at the largest m, without and with the most decay."""
  manifold, model = MATRICES
  if manifold not in dataset["manifold"].values or model not in dataset["model"].values:
    manifold, model = str(dataset["manifold"].values[0]), str(dataset["model"].values[0])
  m, decays = int(dataset["m"].max()), dataset["decay"].values
  chosen = dataset["gram"].sel(manifold=manifold, model=model, m=m)
  for axes, decay in zip(panels, (decays[0], decays[-1]), strict=True):
    G = chosen.sel(decay=decay).transpose("word", "other_word").values
    size = np.abs(G).max() or 1
    axes.imshow(G, cmap="RdBu_r", vmin=-size, vmax=size)
    name = manifold.replace("_", "-")
    axes.set(xticks=[], yticks=[], title=f"WᵀW, {name}, {WORDS[model]}\nm = {m}, decay {decay:g}")


def _legend(dataset: "xr.Dataset") -> list[Line2D]:
  """Returns the legend's lines."""
  handles = [
    Line2D([], [], color=colour, label=f"decay {decay:g}")
    for colour, decay in zip(COLOURS, dataset["decay"].values, strict=False)
  ]
  for model in dataset["model"].values:
    marker, line = LOOKS[str(model)]
    label = WORDS[str(model)]
    handles.append(Line2D([], [], color="0.2", marker=marker, linestyle=line, label=label))
  handles.append(
    Line2D([], [], color="black", linestyle="--", linewidth=1, label="best linear code")
  )
  handles.append(Line2D([], [], color="0.5", linestyle="--", linewidth=0.8, label="chance"))
  return handles
