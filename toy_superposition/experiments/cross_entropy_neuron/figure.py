"""One binary neuron: two losses by the number of features on which it fires."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from toy_superposition.drawing import style

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} {what}"
NAMES = {"cross_entropy": "cross-entropy (nats)", "squared_error": "squared error"}
COLOURS = {"cross_entropy": "#1f77b4", "squared_error": "#d95f02"}
SIDEWAYS = 0.12  # horizontal spread of restarts with the same number of features


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: one panel per loss, and the best number by the ratio of importances."""
  n = dataset.sizes["feature"]
  with style.style():
    figure = style.figure(9.6, 3.1)
    panels = figure.subplots(1, 3)
    for axes, name in zip(panels, NAMES, strict=False):
      cell = dataset.sel(objective=name)
      n_restarts = cell.sizes["restart"]
      sideways = SIDEWAYS * np.linspace(-1, 1, n_restarts)
      axes.plot(cell["size"], cell["closed_form"], "o-", color="0.35", label="closed form")
      axes.plot(
        cell["trained_size"].values + sideways,
        cell["trained_loss"].values,
        ".",
        color=COLOURS[name],
        label=f"trained ({n_restarts} restarts)",
      )
      axes.set(xlabel="features on which the neuron fires", ylabel=NAMES[name], ylim=(0, None))
      axes.xaxis.set_major_locator(MaxNLocator(integer=True))
      axes.legend(loc="lower right")
    for name, width in (("cross_entropy", 4), ("squared_error", 1.8)):
      best = dataset["best_size"].sel(objective=name)
      label = NAMES[name].split(" (")[0]
      panels[2].plot(best["ratio"], best, color=COLOURS[name], linewidth=width, label=label)
    panels[2].set(
      xlabel="importance ratio of neighbouring features",
      ylabel="features singled out at best",
      ylim=(0.5, n / 2 + 0.5),
    )
    panels[2].invert_xaxis()
    panels[2].yaxis.set_major_locator(MaxNLocator(integer=True))
    panels[2].legend()
    figure.suptitle(f"One binary neuron predicts which of {n} exclusive features is present")
  return figure
