"""Computing |x|: neurons as stacks of the features that enter them, one panel per density."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from toy_superposition.drawing import neurons as drawn
from toy_superposition.drawing import spread, style, weights
from toy_superposition.experiments import restarts
from toy_superposition.geometry import neurons

if TYPE_CHECKING:
  import xarray as xr

SPREAD = spread.BEST


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: a panel per density, dense first, with features coloured by their
  superposition."""
  best = restarts.best(dataset).sortby("density", ascending=False)
  n, m = best.sizes["feature"], best.sizes["hidden"]
  n_rows = best.sizes["density"]
  with style.style():
    figure = style.figure(9.5, 1.35 * n_rows + 1.0)
    panels = np.ravel(figure.subplots(n_rows, 1, squeeze=False))
    for axes, k in zip(panels, range(n_rows), strict=True):
      cell = best.isel(density=k)
      W = drawn.by_importance(cell["W1"].transpose("hidden", "feature").values)
      overlap = np.clip(cell["superposition"].values, 0, 1)
      colours = colormaps[weights.SUPERPOSITION_MAP](overlap)
      drawn.draw_stacks(drawn.shade_purity(axes, W), W, colours, signed=False)
      p, count = float(cell["feature_density"][0]), neurons.monosemantic(W)
      axes.set_title(f"$p$ = {p:.3g}: {count} of {m} neurons stand for one feature", loc="left")
      axes.set_ylabel("$|W_1|$")
    panels[-1].set_xlabel("neurons, by the importance of their largest feature")
    ramp = ScalarMappable(Normalize(0, 1), weights.SUPERPOSITION_MAP)
    bar = figure.colorbar(
      ramp, ax=panels.tolist(), label="superposition of the feature", shrink=0.4, pad=0.01
    )
    bar.set_ticks([0, 0.5, 1], labels=["0", "½", "≥ 1"])
    style.legend_below(figure, handles=drawn.purity_classes(), ncols=3, fontsize="small")
    figure.suptitle(f"|x| of {n} features in {m} neurons (each neuron's largest weight set to 1)")
  return figure
