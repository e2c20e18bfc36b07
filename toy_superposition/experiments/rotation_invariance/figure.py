"""Weights of both models, and how their losses change when the hidden layer is rotated."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from toy_superposition.drawing import neurons, style, weights
from toy_superposition.experiments import restarts, rotations

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: random rotations of all {n} {what}; matrices: the best by loss"
NAMES = {"relu_output": "linear hidden layer", "relu_hidden": "ReLU in the hidden layer"}
COLOURS = {"relu_output": "#2a5d9c", "relu_hidden": "#b0352b"}
FLOOR = 1e-8  # smaller changes, which float32 does not resolve, are drawn at this height


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: W of each model's best restart, and all relative changes of the loss."""
  best = restarts.best(dataset)
  changes = abs(rotations.relative_change(dataset)).transpose("model", ...)
  names = dataset["model"].values.tolist()
  with style.style():
    figure = style.figure(9, 3.4)
    grid = figure.subplots(1, len(names) + 1, width_ratios=(*[1] * len(names), 1.9))
    for axes, name in zip(grid, names, strict=False):
      W = neurons.in_order(best["W"].sel(model=name).transpose("hidden", "feature").values)
      axes.imshow(W.T, cmap=weights.GRAM_MAP, vmin=-1.5, vmax=1.5, interpolation="nearest")
      axes.set(xticks=[], yticks=[], title=NAMES[name], xlabel="hidden units")
      for side in axes.spines.values():
        side.set_visible(False)
    grid[0].set_ylabel("features ($W^T$, blue −1.5, red 1.5)")
    axes = grid[-1]
    for k, name in enumerate(names):
      values = np.maximum(changes.sel(model=name).values.ravel(), FLOOR)
      spread = np.linspace(-0.25, 0.25, len(values))
      axes.plot(k + spread, values, ".", color=COLOURS[name], markersize=5)
    axes.axhline(rotations.INVARIANT, color="0.6", linewidth=0.8, linestyle="--")
    axes.axhline(rotations.MATTERS, color="0.6", linewidth=0.8, linestyle="--")
    axes.set(yscale="log", xlim=(-0.6, len(names) - 0.4), xticks=range(len(names)))
    axes.set_xticklabels([NAMES[name] for name in names])
    axes.set_ylabel("relative change of the loss")
    axes.set_title("after random rotations of the hidden layer")
    p = float(dataset["feature_density"].values.flat[0])
    n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
    figure.suptitle(f"Is the basis privileged? {n} features in {m} hidden units, $p$ = {p:g}")
  return figure
