"""Weights of both models side by side, and how losses change when the hidden layer is rotated."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import neurons as drawn
from toy_superposition.drawing import style, weights
from toy_superposition.experiments import restarts, rotations
from toy_superposition.experiments.rotation_invariance.claims import NAMES
from toy_superposition.geometry import neurons

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: random rotations of all {n} {what}; matrices: the best by loss"
LINES = {"relu_output": "linear\nhidden layer", "relu_hidden": "ReLU in the\nhidden layer"}
COLOURS = {"relu_output": "#2a5d9c", "relu_hidden": "#b0352b"}
FLOOR = 1e-8  # smaller changes, which float32 does not resolve, are drawn at this height


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: W of the best restarts of both models side by side, dense and sparse, and
  all relative changes of the loss."""
  dataset = dataset.sortby("density", ascending=False)
  best = restarts.best(dataset)
  names = [name for name in NAMES if name in dataset["model"].values]
  densities = dataset["density"].values.tolist()
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  n_panels = len(names) * len(densities)
  with style.style():
    figure = style.figure(1.75 * n_panels + 4.6, 3.6)
    widths = (*[1.75 * len(names)] * len(densities), 4.6)
    outer = figure.add_gridspec(1, len(widths), width_ratios=widths)
    for k, p in enumerate(densities):
      part = figure.add_subfigure(outer[0, k])
      grid = np.ravel(part.subplots(1, len(names)))
      for axes, name in zip(grid, names, strict=True):
        _draw_weights(axes, best.sel(model=name, density=p))
        axes.set_xlabel(LINES[name])
      if k == 0:
        grid[0].set_ylabel("features ($W^T$, blue −1.5, red 1.5)")
      part.suptitle(f"$p$ = {p:g}")
    _draw_changes(figure.add_subfigure(outer[0, -1]).subplots(), dataset, names)
    figure.suptitle(f"Is the basis privileged? {n} features in {m} hidden units")
  return figure


def _draw_weights(axes: Axes, cell: "xr.Dataset") -> None:
  """Draws Wᵀ of one model, with the number of its monosemantic hidden units as title."""
  W = drawn.in_order(cell["W"].transpose("hidden", "feature").values)
  axes.imshow(W.T, cmap=weights.GRAM_MAP, vmin=-1.5, vmax=1.5, interpolation="nearest")
  axes.set(xticks=[], yticks=[])
  axes.set_title(f"{neurons.monosemantic(W)} of {len(W)}\nmonosemantic", fontsize="medium")
  for side in axes.spines.values():
    side.set_visible(False)


def _draw_changes(axes: Axes, dataset: "xr.Dataset", names: list[str]) -> None:
  """Draws the relative changes of the loss, a column of dots per model and density."""
  changes = abs(rotations.relative_change(dataset))
  densities = dataset["density"].values.tolist()
  places: list[float] = []
  for k, name in enumerate(names):
    group = k * (len(densities) + 0.5) + np.arange(len(densities))
    for place, p in zip(group, densities, strict=True):
      values = np.maximum(changes.sel(model=name, density=p).values.ravel(), FLOOR)
      dots = place + np.linspace(-0.3, 0.3, len(values))
      axes.plot(dots, values, ".", color=COLOURS[name], markersize=4)
    places += group.tolist()
    below = axes.get_xaxis_transform()  # x in data, y as a share of the height
    axes.text(group.mean(), -0.12, LINES[name], transform=below, ha="center", va="top")
  axes.axhline(rotations.INVARIANT, color="0.6", linewidth=0.8, linestyle="--")
  axes.axhline(rotations.MATTERS, color="0.6", linewidth=0.8, linestyle="--")
  axes.set(yscale="log", xticks=places)
  axes.set_xticklabels([f"$p$ = {p:g}" for p in densities] * len(names))
  axes.set_ylabel("relative change of the loss")
  axes.set_title("after random rotations of the hidden layer")
