"""A penalty on hidden activations: features per dimension, the loss, and what is left in WᵀW."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import style, weights
from toy_superposition.experiments.l1_superposition.analysis import best
from toy_superposition.geometry.sets import DIRECTION_NORM

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} {what}; lines: their mean; matrices: the best by loss"
MATRICES = 6  # WᵀW that are drawn, at penalties of even distance


def grouped(W: Float[np.ndarray, "hidden feature"]) -> Float[np.ndarray, "hidden feature"]:
  """Returns W with its features in the order of the hidden dimension that they use most, those
  without a meaningful direction last."""
  norm = np.linalg.norm(W, axis=0)
  main = np.abs(W).argmax(axis=0)
  sign = W[main, np.arange(W.shape[1])] < 0
  return W[:, np.lexsort((sign, main, norm < DIRECTION_NORM))]


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: two curves over λ, and below WᵀW of the best restarts."""
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  chosen, penalty = best(dataset), dataset["penalty"].values
  shown = np.unique(np.linspace(0, dataset.sizes["penalty"] - 1, MATRICES).astype(int))
  with style.style():
    figure = style.figure(9.6, 5.2)
    parts = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.6, 1))
    left, right = parts[0, 0].subplots(1, 2)
    _draw_curve(left, dataset, "features_per_dimension")
    for height, label in ((1, "one per dimension"), (2, "antipodal pairs")):
      left.axhline(height, color="0.6", linewidth=0.7, linestyle="--", zorder=0)
      left.text(penalty.max(), height, label, ha="right", va="bottom", color="0.4")
    left.set(ylabel=r"features per dimension  $\|W\|_F^2\,/\,m$", ylim=(0, None))
    _draw_curve(right, dataset, "loss")
    right.set(ylabel="loss without the penalty", ylim=(0, None))
    empty = float(dataset["empty_objective"].values.flat[0])
    right.axhline(empty, color="0.6", linewidth=0.7, linestyle="--", zorder=0)
    right.text(0, empty, "no weights at all", va="top", color="0.4")
    panels = np.ravel(parts[1, 0].subplots(1, len(shown), squeeze=False))
    for axes, i in zip(panels, shown, strict=True):
      cell = chosen.isel(penalty=i)
      weights.draw_gram(axes, grouped(cell["W"].values))
      count = int(cell["n_represented"])
      axes.set_title(rf"$\lambda$ = {penalty[i]:g}: {count} features", fontsize="small")
    p = float(dataset["feature_density"].values.flat[0])
    figure.suptitle(
      rf"{n} features in {m} dimensions at density {p:g}, penalty $\lambda\,\Sigma|h|$; below: "
      r"$W^TW$ of the best restart, blue −1, red +1"
    )
  return figure


def _draw_curve(axes: Axes, dataset: "xr.Dataset", name: str) -> None:
  """Draws every restart as a dot, and their mean as a line."""
  values = dataset[name].transpose("penalty", "restart")
  x = dataset["penalty"].values
  axes.plot(x, values.values, "o", color="#1f77b4", markersize=3, alpha=0.5)
  axes.plot(x, values.mean("restart").values, color="#1f77b4", linewidth=1.3)
  axes.set(xlabel=r"penalty $\lambda$ of $\Sigma|h|$")
