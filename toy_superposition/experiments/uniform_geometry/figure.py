"""Uniform superposition: D* over density, dimensionalities of all features, and their graphs."""

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import graphs, plots, style
from toy_superposition.experiments.uniform_geometry.analysis import KINDS, ordered

if TYPE_CHECKING:
  import xarray as xr

GRAPHS_AT = (1.27, 1.68, 2.83, 4.3, 4.97, 9.2)  # 1/(1 − S), as in the paper


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: the curve of D*, dimensionalities below it, and six graphs."""
  dataset = ordered(dataset)
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  with style.style():
    figure = Figure(figsize=(10.5, 9.6), layout="constrained")
    grid = figure.add_gridspec(4, 1, height_ratios=(1, 1.9, 1.15, 0.2))
    line = figure.add_subplot(grid[0])
    _draw_line(line, dataset)
    plots.dimensionality(dataset, figure.add_subplot(grid[1], sharex=line))
    panels = grid[2].subgridspec(1, len(GRAPHS_AT))
    shown: set[str] = set()
    for k, x in enumerate(GRAPHS_AT):
      shown |= _draw_graph(figure.add_subplot(panels[k]), dataset, x)
    names = {kind: graphs.COLOURS[kind] for kind in graphs.COLOURS if kind in shown}
    graphs.draw_names(figure.add_subplot(grid[3]), names)
    figure.suptitle(f"{n} equally important features in {m} dimensions")
  return figure


def _draw_line(axes: Axes, dataset: "xr.Dataset") -> None:
  plots.dimensions_per_feature(dataset, axes)
  n_seeds = dataset.sizes["restart"]
  axes.set_title(
    "hidden dimensions per feature" + (f" (range over {n_seeds} seeds)" if n_seeds > 1 else "")
  )
  axes.set_xlabel("")
  axes.tick_params(labelbottom=False)


def _draw_graph(axes: Axes, dataset: "xr.Dataset", x: float) -> set[str]:
  """Draws the graph of the model nearest to the density 1/x; returns its kinds of component."""
  cell = dataset.isel(restart=0).sel(density=1 / x, method="nearest")
  plots.graph(cell, axes, legend=False)
  kinds = cell["component_kind"].values
  represented = kinds[kinds >= 0]
  axes.set_title(f"1/(1−S) = {1 / float(cell['density']):.2f}\n{len(represented)} represented")
  return {KINDS[kind] for kind in represented}
