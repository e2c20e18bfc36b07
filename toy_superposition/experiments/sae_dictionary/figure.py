"""Agreement of directions and of codes over the number of training examples."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from toy_superposition.drawing import spread, style

if TYPE_CHECKING:
  import xarray as xr

SPREAD = spread.MEAN
CODES = {
  "codes_true": ("true dictionary, sparse coding", "#2ca02c"),
  "codes_classical": ("classical dictionary, sparse coding", "#9467bd"),
  "codes_fista": ("autoencoder's dictionary, sparse coding", "#1f77b4"),
  "codes_true_encoder": ("true dictionary, k largest products", "#ff7f0e"),
  "codes_encoder": ("autoencoder's dictionary and encoder", "#d62728"),
}


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: left, the dictionary; right, codes of fresh examples."""
  dataset = dataset.sortby("examples").transpose("examples", "seed", ...)
  x = dataset["examples"].values
  with style.style():
    figure = style.figure(9.6, 3.8)
    left, right = figure.subplots(1, 2)
    _points(left, x, dataset["mcc"].values, "#1f77b4", "autoencoder")
    _points(left, x, dataset["mcc_classical"].values, "#9467bd", "classical dictionary learning")
    left.legend(fontsize="small", loc="lower right")
    by_chance = float(dataset["mcc_chance"].mean())
    left.axhline(by_chance, color="0.3", linewidth=0.8, linestyle="--")
    left.text(x[0], by_chance, "chance", ha="left", va="bottom")
    left.set(ylabel="MCC of the dictionary's directions")
    for name, (label, colour) in CODES.items():
      _points(right, x, dataset[name].values, colour, label)
    right.set(ylabel="MCC of codes, fresh examples")
    right.legend(fontsize="small", loc="lower right")
    for axes in (left, right):
      axes.set(xscale="log", xlabel="training examples", ylim=(0, 1.02))
    n, m, d = (dataset.sizes[dim] for dim in ("feature", "input", "latent"))
    active = float(dataset["active"].mean())
    figure.suptitle(f"{active:.0f} of {n} features on, {m} dimensions, {d} latents")
  return figure


def _points(axes, x: np.ndarray, values: np.ndarray, colour: str, label: str) -> None:
  """Draws every seed as a point, and their mean as a line."""
  axes.plot(x, values, "o", color=colour, markersize=3, alpha=0.5)
  axes.plot(x, values.mean(axis=1), color=colour, linewidth=1.2, label=label)
