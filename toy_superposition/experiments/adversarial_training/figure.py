"""Adversarial training: features per dimension, superposition and loss over the size of attacks."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from toy_superposition.drawing import spread, style
from toy_superposition.experiments.adversarial_training.claims import REMOVED_AT

if TYPE_CHECKING:
  import xarray as xr

SPREAD = spread.MEAN
PANELS = (
  ("features_per_dimension", r"features per dimension, $\|W\|^2 / m$"),
  ("n_shared", "features in superposition"),
  ("loss", "loss without attacks"),
)


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: one panel per quantity, a curve per density, a dot per restart."""
  size, density = dataset["attack"].values, dataset["density"].values
  colours = colormaps["viridis"](np.linspace(0.05, 0.8, len(density)))
  with style.style():
    figure = style.figure(11, 3.5)
    for axes, (name, label) in zip(figure.subplots(1, 3), PANELS, strict=True):
      values = dataset[name].transpose("density", "attack", "restart").values
      for p, colour, restarts in zip(density, colours, values, strict=True):
        axes.plot(size, restarts, ".", color=colour, markersize=4, alpha=0.6)
        axes.plot(size, restarts.mean(axis=1), color=colour, linewidth=1.3, label=f"{p:g}")
      axes.axvline(REMOVED_AT, color="0.6", linewidth=0.8, linestyle="--", zorder=0)
      axes.set(
        xlabel="attack in training, share of the input's norm",
        ylabel=label,
        ylim=(0, 1.08 * float(values.max())),
      )
    figure.axes[0].legend(title="density $p$")
    figure.axes[1].text(
      REMOVED_AT, 1.04 * float(dataset["n_shared"].max()), " paper: gone", color="0.4", va="top"
    )
    n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
    figure.suptitle(f"Adversarial training: {n} features in {m} dimensions")
  return figure
