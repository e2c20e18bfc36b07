"""Feature count: what training finds, and what a step costs, over the number of features."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from toy_superposition.drawing import style
from toy_superposition.experiments.feature_count.analysis import CONVERGED, converged, ordered

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "lines: mean of {n} {what}; bars: their range"
MARKERS = ("o", "s", "^", "D", "v")  # by m
PANELS = (
  ("dimensions_per_feature", r"$D^* = m\,/\,\|W\|_F^2$", "hidden dimensions per feature"),
  ("loss_saved", "absent features' losses", "loss saved per dimension"),
  ("relative_loss", "share of an absent feature's", "loss of a represented feature"),
  ("interference", r"$\Sigma_{j\neq i}\,(\hat W_i\cdot W_j)^2$", "interference per feature"),
  ("absent_share", r"share of $\|W\|_F^2$", "norm left to absent features"),
)


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: five numbers over n / m, one line per m and density, and the cost."""
  dataset = ordered(dataset)
  with style.style():
    figure = style.figure(10.5, 6.4)
    panels = figure.subplots(2, 3).ravel()
    for axes, (name, unit, title) in zip(panels, PANELS, strict=False):
      _draw_number(axes, dataset, name)
      axes.set(title=title, ylabel=unit)
    _draw_limit(panels[len(PANELS) - 1])
    _draw_cost(panels[-1], dataset)
    style.legend_below(figure, handles=_names(dataset), ncols=6)
    n = dataset["n"].values
    figure.suptitle(f"{n.min()} to {n.max()} equally important features")
  return figure


def _draw_number(axes: Axes, dataset: "xr.Dataset", name: str) -> None:
  """Draws the means of seeds with their range; hollow where training has not converged."""
  value, done = dataset[name], converged(dataset)
  for i, m in enumerate(dataset["m"].values):
    for k in range(dataset.sizes["density"]):
      line = value.sel(m=m).isel(density=k).transpose("n", "restart").values
      settled = done.sel(m=m).isel(density=k).values
      x, colour = dataset["n"].values / m, f"C{k}"
      known = np.isfinite(line).all(axis=1)
      mean = line[known].mean(axis=1)
      axes.plot(x[known], mean, color=colour, linewidth=1, alpha=0.7)
      axes.vlines(x[known], line[known].min(axis=1), line[known].max(axis=1), color=colour)
      for shown, face in ((settled[known], colour), (~settled[known], "white")):
        axes.plot(
          x[known][shown],
          mean[shown],
          linestyle="",
          marker=MARKERS[i % len(MARKERS)],
          markersize=5,
          color=colour,
          markerfacecolor=face,
        )
  ratios = np.unique(dataset["n"].values / dataset["m"].values[:, None])
  axes.set_xscale("log")
  axes.set_xticks(ratios, labels=[f"{ratio:g}" for ratio in ratios])
  axes.set_xticks([], minor=True)
  axes.set_ylim(bottom=0)
  axes.set_xlabel("features per dimension, $n / m$")


def _draw_limit(axes: Axes) -> None:
  """Draws the share of the norm up to which a model counts as converged, always in sight."""
  axes.axhline(CONVERGED, color="0.6", linewidth=0.7, linestyle="--", zorder=0)
  axes.set_ylim(0, max(1.6 * CONVERGED, axes.get_ylim()[1]))
  axes.annotate(
    "below: training has converged",
    (0.02, CONVERGED),
    (0, 3),
    xycoords=("axes fraction", "data"),
    textcoords="offset points",
    color="0.4",
    fontsize="small",
  )


def _draw_cost(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws the wall time of a step of one instance over n, beside a line proportional to n."""
  # The models of a group share their wall time.
  seconds = dataset["step_seconds"].isel(density=0, restart=0)
  n = dataset["n"].values
  for i, m in enumerate(dataset["m"].values):
    axes.plot(
      n, 1e3 * seconds.sel(m=m).values, color="0.2", marker=MARKERS[i % len(MARKERS)], linewidth=1
    )
  top = 1e3 * float(seconds.isel(n=-1).min())
  axes.plot(n, top * n / n[-1], color="0.6", linewidth=0.8, linestyle="--")
  axes.annotate("∝ n", (n[-1], top), (4, 0), textcoords="offset points", color="0.4", va="center")
  axes.set_xscale("log")
  axes.set_xticks(n, labels=[str(k) for k in n])
  axes.set_xticks([], minor=True)
  axes.set_yscale("log")
  axes.set(title="wall time per step and instance", xlabel="features, $n$", ylabel="ms")


def _names(dataset: "xr.Dataset") -> list[Line2D]:
  """Returns the legend's rows: densities by colour, m by marker, filled or hollow."""

  def row(label: str, **kind) -> Line2D:
    return Line2D([], [], label=label, **kind)

  rows = [
    row(f"density {float(p):g}", color=f"C{k}") for k, p in enumerate(dataset["density"].values)
  ]
  rows += [
    row(f"m = {m}", color="0.3", marker=MARKERS[i % len(MARKERS)], linestyle="")
    for i, m in enumerate(dataset["m"].values)
  ]
  if not bool(converged(dataset).all()):
    hollow = {"color": "0.3", "marker": "o", "linestyle": "", "markerfacecolor": "white"}
    rows.append(row("training has not converged", **hollow))
  return rows
