"""Local bases: WᵀW of two sets of correlated features, at every density."""

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from toy_superposition.drawing import plots, spread, style, weights
from toy_superposition.experiments import restarts

if TYPE_CHECKING:
  import xarray as xr

SPREAD = spread.BEST


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: the best restart at every density, sparse first; and the scale."""
  best = restarts.best(dataset).sortby("density")
  n, m = best.sizes["feature"], best.sizes["hidden"]
  count = best.sizes["density"]
  with style.style():
    figure = style.figure(2.4 * count + 0.8, 2.9)
    grid = figure.add_gridspec(1, count + 1, width_ratios=[*[1] * count, 0.1])
    for k in range(count):
      cell = best.isel(density=k)
      axes = figure.add_subplot(grid[k])
      plots.gram(cell, axes, bias=False)
      for draw_line in (axes.axhline, axes.axvline):
        draw_line(m - 0.5, color="0.3", linewidth=0.7)
      middles = [(m - 1) / 2, m + (m - 1) / 2]
      axes.set_xticks(middles, labels=["set 1", "set 2"])
      axes.set_yticks(middles, labels=["set 1", "set 2"] if k == 0 else [])
      axes.tick_params(length=0)
      axes.set_title(f"$p$ = {float(cell['density']):g}")
    weights.draw_scale(
      figure.add_subplot(grid[-1]), weights.GRAM_MAP, "$W_i \\cdot W_j$", "≤ −1", "≥ 1"
    )
    figure.suptitle(f"{n} features in {m} dimensions, as two correlated sets of {n // 2}: $W^T W$")
  return figure
