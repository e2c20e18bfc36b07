"""Detection, agreement, uniqueness and reconstruction of every method over L0."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from toy_superposition.drawing import recovery, style

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "lines: mean of {n} {what}; bars: one standard deviation"
PANELS = {
  "f1_live": "F1 of live latents as detectors",
  "mcc": "MCC: agreement with the true directions",
  "uniqueness": "different features over live latents",
  "fvu": "fraction of variance unexplained",
}
ORACLE = {"f1_live": "oracle_f1", "fvu": "oracle_fvu"}


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: four scores over L0, one line per method."""
  n, m, d = (dataset.sizes[dim] for dim in ("feature", "input", "latent"))
  with style.style():
    figure = style.figure(9.6, 6.6)
    grid = np.ravel(figure.subplots(2, 2))
    for axes, (name, label) in zip(grid, PANELS.items(), strict=True):
      recovery.over_l0(axes, dataset, name)
      if name in ORACLE:
        l0, values = dataset["oracle_l0"].mean("seed"), dataset[ORACLE[name]].mean("seed")
        axes.plot(l0, values, "k--", linewidth=1, label="true dictionary, sparse coding")
      axes.set(ylabel=label, ylim=(0, None))
    by_chance = float(dataset["mcc_chance"].mean())
    grid[1].axhline(by_chance, color="0.3", linewidth=0.8, linestyle=":")
    grid[1].text(
      grid[1].get_xlim()[0], by_chance, " chance", ha="left", va="bottom", fontsize="small"
    )
    handles, labels = grid[0].get_legend_handles_labels()
    style.legend_below(figure, handles, labels, ncols=5, fontsize="small")
    figure.suptitle(f"{n} features in trees, in {m} dimensions, {d} latents")
  return figure
