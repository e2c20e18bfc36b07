"""Recovery, detection, reconstruction and dead latents over the number of active latents."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from toy_superposition.drawing import recovery, style

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "lines: mean of {n} {what}; bars: one standard deviation"
PANELS = {
  "mcc": "MCC: agreement with the true directions",
  "f1": "F1 of assigned latents as detectors",
  "fvu": "fraction of variance unexplained",
  "dead": "share of dead latents",
}


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: four scores over L0, one line per method."""
  n, m, d = (dataset.sizes[dim] for dim in ("feature", "input", "latent"))
  with style.style():
    figure = style.figure(9.6, 6.4)
    grid = np.ravel(figure.subplots(2, 2))
    for axes, (name, label) in zip(grid, PANELS.items(), strict=True):
      recovery.over_l0(axes, dataset, name)
      axes.set(ylabel=label, ylim=(0, None))
    by_chance = float(dataset["mcc_chance"].mean())
    grid[0].axhline(by_chance, color="0.3", linewidth=0.8, linestyle="--")
    grid[0].text(float(dataset["l0"].max()), by_chance, "chance", ha="right", va="bottom")
    grid[0].legend(loc="lower left", fontsize="small")
    p = float(dataset["feature_density"].values.flat[0])
    figure.suptitle(f"{n} features of density {p:g} in {m} dimensions, {d} latents")
  return figure
