"""Directions of five features in two dimensions, in the best restart at every density."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from toy_superposition.drawing import plots, spread, style
from toy_superposition.experiments import restarts

if TYPE_CHECKING:
  import xarray as xr

SPREAD = spread.BEST
COLUMNS = 5


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: one plane per density, dense first."""
  best = restarts.best(dataset).sortby("density", ascending=False)
  n, m = best.sizes["feature"], best.sizes["hidden"]
  n_rows = -(-best.sizes["density"] // COLUMNS)
  with style.style():
    figure = style.figure(1.75 * COLUMNS, 1.95 * n_rows + 0.7)
    panels = np.ravel(figure.subplots(n_rows, COLUMNS, squeeze=False))
    for k, axes in enumerate(panels):
      if k >= best.sizes["density"]:
        axes.set_axis_off()
        continue
      cell = best.isel(density=k)
      plots.arrows(cell, axes)
      p = float(cell["density"])
      axes.set_title(f"$p$ = {p:.2g}  ($S$ = {1 - p:.2g})")
    figure.suptitle(
      f"{n} features in {m} dimensions as they become rarer (brighter: more important)"
    )
  return figure
