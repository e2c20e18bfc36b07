"""The phase diagram under several output activations, in the paper's colours."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from toy_superposition.drawing import phase_map, spread, style
from toy_superposition.experiments.activation_functions.analysis import LABELS

if TYPE_CHECKING:
  import xarray as xr

SPREAD = spread.BEST
COLUMNS = 4


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: a map per activation, and the legend."""
  models = [str(name) for name in dataset["model"].values]
  n_rows = -(-(len(models) + 1) // COLUMNS)
  with style.style():
    figure = style.figure(2.6 * COLUMNS, 2.75 * n_rows + 0.3)
    panels = np.ravel(figure.subplots(n_rows, COLUMNS, squeeze=False))
    for k, name in enumerate(models):
      cell = dataset.sel(model=name)
      phase_map.phase_map(cell["best_norm"], cell["best_superposition"], panels[k])
      panels[k].set_title(LABELS[name])
      if k % COLUMNS:
        panels[k].set_ylabel("")
        panels[k].tick_params(labelleft=False)
      if k + COLUMNS < len(panels):
        panels[k].set_xlabel("")
    phase_map.draw_legend(panels[len(models)])
    for axes in panels[len(models) + 1 :]:
      axes.set_axis_off()
    figure.suptitle("Fate of the extra feature by output activation")
  return figure
