"""Basic results: WᵀW with the bias, and the norms, of both models at every density."""

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import plots, spread, style, weights
from toy_superposition.experiments import restarts
from toy_superposition.experiments.demonstration.analysis import LINEAR, RELU, ordered

if TYPE_CHECKING:
  import xarray as xr

SPREAD = spread.BEST


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: a column for the linear model, then one per density, dense first."""
  best = restarts.best(ordered(dataset))
  n, m = best.sizes["feature"], best.sizes["hidden"]
  sparsest = best.sel(model=LINEAR).isel(density=-1)
  relu = best.sel(model=RELU)
  cells = [sparsest, *(relu.isel(density=k) for k in range(relu.sizes["density"]))]
  with style.style():
    figure = style.figure(1.6 * len(cells) + 1.2, 4.1)
    grid = figure.add_gridspec(2, len(cells) + 1, width_ratios=[*[1] * len(cells), 0.3])
    for k, cell in enumerate(cells):
      gram = figure.add_subplot(grid[0, k])
      plots.gram(cell, gram)
      name = "linear" if k == 0 else "ReLU"
      gram.set_title(f"{name}\n$p$ = {float(cell['density']):g}")
      bars = figure.add_subplot(grid[1, k])
      plots.norms(cell, bars)
      bars.set_box_aspect(1)
      if k == 0:
        gram.set_ylabel("$W^T W$ and $b$")
        bars.set_ylabel(r"features, by $\|W_i\|$")
        _label_ends(bars)
    scales = (
      (weights.GRAM_MAP, "weight", "≤ −1", "≥ 1"),
      (weights.SUPERPOSITION_MAP, "superposition", "0", "≥ 1"),
    )
    for row, (cmap, label, low, high) in enumerate(scales):
      weights.draw_scale(figure.add_subplot(grid[row, -1]), cmap, label, low, high)
    figure.suptitle(
      f"{n} features in {m} dimensions, most important first: linear model (sparsest features) and "
      "ReLU model from dense to sparse"
    )
  return figure


def _label_ends(axes: Axes) -> None:
  """Labels the length of the bars: norms from 0 to 1."""
  axes.set_xticks([0, 1])
  axes.set_xticklabels(["0", "≥ 1"], fontsize="small")
