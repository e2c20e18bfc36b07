"""Computing |x| of few features: the best restart's neurons as stacks of input weights."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from toy_superposition.drawing import neurons as drawn
from toy_superposition.drawing import spread, style
from toy_superposition.experiments import restarts
from toy_superposition.geometry import neurons

if TYPE_CHECKING:
  import xarray as xr

SPREAD = spread.BEST


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: signed weights into every neuron of the best restart, rescaled."""
  best = restarts.best(dataset)
  n, m = best.sizes["feature"], best.sizes["hidden"]
  W = drawn.by_importance(best["W1"].transpose("hidden", "feature").values)
  colours = colormaps["tab10"](np.arange(n))
  with style.style():
    figure = style.figure(5.4, 3.2)
    axes = figure.subplots()
    drawn.draw_stacks(drawn.shade_purity(axes, W), W, colours)
    p, count = float(best["feature_density"][0]), neurons.monosemantic(W)
    axes.set_title(f"$p$ = {p:.3g}: {count} of {m} neurons stand for one feature", loc="left")
    axes.set_ylabel("$W_1$")
    axes.set_xlabel("neurons, by the importance of their largest feature")
    features = [Patch(color=colours[i], label=f"feature {i}") for i in range(n)]
    handles = [*drawn.purity_classes(), *features]
    style.legend_below(figure, handles=handles, ncols=3, fontsize="small")
    figure.suptitle(f"|x| of {n} features in {m} neurons (each neuron's largest weight set to 1)")
  return figure
