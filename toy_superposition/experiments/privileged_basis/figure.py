"""A ReLU in the hidden layer: the neurons of the best restart at every density, as stacks."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from toy_superposition.drawing import neurons as drawn
from toy_superposition.drawing import spread, style, weights
from toy_superposition.experiments import restarts
from toy_superposition.geometry import neurons

if TYPE_CHECKING:
  import xarray as xr

SPREAD = spread.BEST


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: above, W of the best restart; below, its neurons as stacks of features."""
  best = restarts.best(dataset).sortby("density", ascending=False)
  n_columns, n, m = best.sizes["density"], best.sizes["feature"], best.sizes["hidden"]
  colours = weights.importance_colours(best["feature_importance"].isel(density=0).values)
  models = [drawn.in_order(W) for W in best["W"].transpose("density", "hidden", "feature").values]
  high = max(np.clip(W, 0, None).sum(axis=1).max() for W in models)
  low = max(np.clip(-W, 0, None).sum(axis=1).max() for W in models)
  with style.style():
    figure = style.figure(1.55 * n_columns + 1.0, 5.2)
    grid = figure.subplots(2, n_columns, squeeze=False, height_ratios=(1, 1.9))
    for k, W in enumerate(models):
      axes = grid[0, k]
      limit = 1.5
      axes.imshow(W.T, cmap=weights.GRAM_MAP, vmin=-limit, vmax=limit, interpolation="nearest")
      axes.set(xticks=[], yticks=[])
      p = float(best["density"][k])
      positive = neurons.monosemantic(W, nonnegative=True)
      axes.set_title(
        f"$p$ = {p:.2g}\n{neurons.monosemantic(W)} of {m} monosemantic\n({positive} positive)"
      )
      axes = drawn.draw_stacks(grid[1, k], W, colours)
      axes.set(ylim=(-1.05 * low, 1.05 * high), xlabel="neurons")
      if k:
        axes.tick_params(labelleft=False)
    grid[0, 0].set_ylabel("features\n($W^T$, blue −1.5, red 1.5)")
    grid[1, 0].set_ylabel("$|w|$, negative weights below the axis")
    figure.legend(
      handles=[Patch(color=colours[i], label=f"{i}") for i in range(n)],
      title="feature\n(0 most\nimportant)",
      loc="outside right center",
      reverse=True,
    )
    figure.suptitle(f"ReLU in the hidden layer: {n} features in {m} neurons")
  return figure
