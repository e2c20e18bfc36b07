"""The phase diagram: closed forms, true optimum and trained models side by side.

Paper, section "Superposition as a Phase Change". A cell's colour is the fate of the extra feature,
by the paper's rule: grey if it is not represented, blue if it has a dimension to itself, red if it
is in superposition, and mixtures in between.
"""

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from toy_superposition.drawing import spread, style
from toy_superposition.drawing.phase_map import (
  draw_boundary,
  draw_legend,
  draw_map,
  label_phases,
  phase_colour,
  phase_map,
)

if TYPE_CHECKING:
  import xarray as xr

SPREAD = spread.BEST


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: theory, the trained models, the legend."""
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  n_restarts = dataset.sizes.get("restart", 1)
  mean = f"trained: mean of the best {max(1, n_restarts - 1)} of {n_restarts}"
  with style.style():
    figure = style.figure(12.6, 3.1)
    grid = figure.add_gridspec(1, 5, width_ratios=(1, 1, 1, 1, 0.8))
    first = figure.add_subplot(grid[0])
    draw_map(first, dataset, phase_colour(dataset["closed_form_phase"].values))
    label_phases(first, dataset)
    first.set_title("theory: closed forms")
    first.set_ylabel("density $p = 1 - S$")
    for k, (name, title) in enumerate(
      (
        ("optimum", "theory: true optimum"),
        ("best", f"trained: best of {n_restarts}"),
        ("mean", mean),
      ),
      start=1,
    ):
      axes = figure.add_subplot(grid[k], sharey=first)
      phase_map(dataset[f"{name}_norm"], dataset[f"{name}_superposition"], axes)
      axes.set(title=title, ylabel="")
      axes.tick_params(labelleft=False)
      if name != "optimum":
        draw_boundary(axes, n)
    draw_legend(figure.add_subplot(grid[4]))
    dimensions = "dimension" if m == 1 else "dimensions"
    figure.suptitle(f"Fate of the extra feature: {n} features in {m} hidden {dimensions}")
  return figure
