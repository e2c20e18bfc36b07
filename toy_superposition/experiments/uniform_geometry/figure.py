"""Uniform superposition: D* over density, dimensionalities of all features, and their graphs."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import graphs, plots, style
from toy_superposition.experiments.uniform_geometry.analysis import KINDS, ordered, with_division
from toy_superposition.experiments.uniform_geometry.block_claims import best_between
from toy_superposition.theory import blocks

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "band: range of {n} {what}; points: every one of them; graphs: the first"
THEORY = "#d62728"
NEARBY = 1.25  # factor on 1/(1 − S) by which a polytope's line goes beyond where it is the best
GRAPHS_AT = (1.27, 1.68, 2.83, 4.3, 4.97, 9.2)  # 1/(1 − S), as in the paper


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: the curve of D*, dimensionalities below it, what a dimension saves, and six
  graphs; the best division of the dimensions among polytopes is drawn over the first three."""
  if "frame_curve" not in dataset:  # results of an earlier version
    dataset = with_division(dataset)
  dataset = ordered(dataset)
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  with style.style():
    figure = style.figure(10.5, 11.4)
    grid = figure.add_gridspec(5, 1, height_ratios=(1, 1.9, 1, 1.15, 0.2))
    line = figure.add_subplot(grid[0])
    _draw_line(line, dataset)
    scatter = figure.add_subplot(grid[1], sharex=line)
    plots.dimensionality(dataset, scatter)
    _draw_predicted(scatter, dataset)
    _draw_savings(figure.add_subplot(grid[2], sharex=line), dataset)
    panels = grid[3].subgridspec(1, len(GRAPHS_AT))
    shown: set[str] = set()
    for k, x in enumerate(GRAPHS_AT):
      shown |= _draw_graph(figure.add_subplot(panels[k]), dataset, x)
    names = {kind: graphs.COLOURS[kind] for kind in graphs.COLOURS if kind in shown}
    graphs.draw_names(figure.add_subplot(grid[4]), names)
    figure.suptitle(f"{n} equally important features in {m} dimensions")
  return figure


def _draw_line(axes: Axes, dataset: "xr.Dataset") -> None:
  plots.dimensions_per_feature(dataset, axes)
  x = 1 / dataset["density"].values
  best = dataset["division_dimensions_per_feature"].values
  axes.plot(x, best, color=THEORY, linewidth=1.2, linestyle="--", label="best division")
  axes.legend(loc="upper right", fontsize="small")
  axes.set_title("hidden dimensions per feature")
  axes.set_xlabel("")
  axes.tick_params(labelbottom=False)


def _draw_predicted(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws the dimensionality of the polytope that is best at each density as a line, and of those
  in the best division as marks whose size is the share of the dimensions they take."""
  low, high = axes.get_xlim()
  for k, (name, (start, end)) in enumerate(best_between(dataset).items()):
    n, m = blocks.size(name)
    ends = max(start, low), min(end, high)
    label = "best polytope" if k == 0 else None
    axes.plot(ends, (m / n, m / n), color=THEORY, linewidth=5, alpha=0.35, label=label, zorder=0)
  share = dataset["frame_share"].transpose("density", "frame")
  x = 1 / dataset["density"].values
  for name in share["frame"].values:
    n, m = blocks.size(str(name))
    taken = share.sel(frame=name).values
    axes.scatter(x, np.full(len(x), m / n), 40 * taken, color=THEORY, marker="|", linewidths=0.7)
  axes.legend(loc="center right", fontsize="small")
  axes.set_xlabel("")
  axes.tick_params(labelbottom=False)


def _draw_savings(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws what a hidden dimension saves over the best polytope: the others as lines, training as
  points with two standard errors."""
  searched = dataset["searched"].values
  curves = dataset["frame_curve"].transpose("searched", "frame")
  top = curves.max("frame")
  for k, (name, (start, end)) in enumerate(best_between(dataset).items()):
    inside = (searched >= start / NEARBY) & (searched <= end * NEARBY)
    line = 100 * (curves.sel(frame=name) / top - 1).values
    axes.plot(searched[inside], line[inside], color=THEORY, linewidth=0.9)
    middle = (max(start, searched[0]) * min(end, searched[-1])) ** 0.5
    at = (middle, 0.5 + 0.9 * (k % 2))
    axes.annotate(name, at, ha="center", fontsize="small", color=THEORY)
  axes.axhline(0, color="0.7", linewidth=0.6, linestyle=":", zorder=0)
  axes.set(ylabel="saving over the\nbest polytope's (%)", xlabel="1 / (1 − S)", ylim=(-4.5, 4.5))
  if "saving" not in dataset:  # results of an earlier version
    return
  x = 1 / dataset["density"].values
  best = np.interp(np.log(x), np.log(searched), top.values)[:, None]
  found = 100 * (dataset["saving"].transpose("density", "restart").values / best - 1)
  error = 100 * dataset["saving_error"].transpose("density", "restart").values / best
  for values, errors in zip(found.T, error.T, strict=True):
    axes.errorbar(x, values, 2 * errors, fmt="o", color="C0", markersize=2.5, elinewidth=0.6)


def _draw_graph(axes: Axes, dataset: "xr.Dataset", x: float) -> set[str]:
  """Draws the graph of the model nearest to the density 1/x; returns its kinds of component."""
  cell = dataset.isel(restart=0).sel(density=1 / x, method="nearest")
  plots.graph(cell, axes, legend=False)
  kinds = cell["component_kind"].values
  represented = kinds[kinds >= 0]
  axes.set_title(f"1/(1−S) = {1 / float(cell['density']):.2f}\n{len(represented)} represented")
  return {KINDS[kind] for kind in represented}
