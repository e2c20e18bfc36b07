"""Shared units over their number, what sharing costs, and the two largest weights of every unit."""

import json
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from toy_superposition.certificates import ALLOWANCE
from toy_superposition.drawing import style
from toy_superposition.experiments.incidental_polysemanticity import theory
from toy_superposition.experiments.incidental_polysemanticity.claims import features

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} {what}; large dots: their mean; right: the first of them"
OURS, SHARED, GREY = "#1f4e9c", "#c0392b", "0.5"
JITTER = 0.06  # of ln m, over which dots of equal height are spread
LAWS = (
  ("pairs", "-", "$n(n-1)/4m$"),
  ("exclusive", ":", "places exclude each other"),
  ("independent", "--", "independent choices"),
)


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: shared units, excess of the objective, weights of the smallest model."""
  dataset = dataset.sortby("m")
  with style.style():
    figure = style.figure(11.4, 3.7)
    left, middle, right = figure.subplots(1, 3)
    _draw_shared(left, dataset)
    _draw_excess(middle, dataset)
    _draw_weights(right, dataset.isel(m=0, restart=0), int(dataset["m"][0]))
    for axes in (left, middle):
      axes.set(xscale="log", xlabel="hidden units $m$")
      axes.set_xticks(dataset["m"].values.tolist())
      axes.xaxis.set_major_formatter(ScalarFormatter())
      axes.minorticks_off()
    figure.suptitle(f"{features(dataset)} features, one active at a time, under an L1 penalty")
  return figure


def _dots(axes: Axes, dataset: "xr.Dataset", values: np.ndarray) -> None:
  """Draws all restarts beside each other; values are (m, restart)."""
  shift = np.exp(np.linspace(-JITTER, JITTER, values.shape[1]))
  x = dataset["m"].values[:, None] * shift
  axes.plot(x.ravel(), values.ravel(), "o", color=OURS, markersize=2.5, alpha=0.4)


def _draw_shared(axes: Axes, dataset: "xr.Dataset") -> None:
  n, sizes = features(dataset), dataset["m"].values
  values = dataset["n_shared"].transpose("m", "restart").values
  _dots(axes, dataset, values)
  axes.plot(sizes, values.mean(axis=1), "o", color=OURS, markersize=5, label="trained: mean")
  line = np.unique(np.geomspace(sizes[0], sizes[-1], 60).round().astype(int))
  for law, dash, label in LAWS:
    y = [getattr(theory, law)(n, one) for one in line.tolist()]
    axes.plot(line, y, dash, color=SHARED if law == "pairs" else "0.2", linewidth=1.2, label=label)
  axes.set_yscale("symlog", linthresh=1)
  axes.set(ylim=(-0.1, None), ylabel="units", title="polysemantic units")
  ticks = [tick for tick in (0, 1, 2, 5, 10, 20, 50, 100) if tick <= 1.2 * values.max()]
  axes.set_yticks(ticks, [str(tick) for tick in ticks])
  axes.legend(fontsize="small", loc="lower left")


def _draw_excess(axes: Axes, dataset: "xr.Dataset") -> None:
  penalty = json.loads(dataset.attrs["config"])["loss.hidden_l1"]
  ratio = dataset["objective"].transpose("m", "restart").values / theory.lowest(penalty)
  _dots(axes, dataset, ratio)
  axes.plot(dataset["m"], ratio.mean(axis=1), "o", color=OURS, markersize=5)
  axes.axhline(1, color=SHARED, linewidth=1)
  axes.text(
    0.98, 0.9995, "optimum: a unit for each feature", color=SHARED, fontsize="small", ha="right",
    va="top", transform=axes.get_yaxis_transform(),
  )  # fmt: skip
  axes.axhline(1 + ALLOWANCE, color=GREY, linewidth=0.8, linestyle=":")
  axes.set_ylim(bottom=0.9975)
  axes.set(ylabel="share of the optimum", title=r"loss + $\lambda\,\Sigma|h|$")


def _draw_weights(axes: Axes, model: "xr.Dataset", m: int) -> None:
  """Draws the two largest weights of each unit, the larger one upwards, units of two features
  first."""
  first, second = model["largest_weights"].transpose("rank", "unit").values
  first, second = np.abs(first), second * np.sign(first)
  both = (first > theory.ON) & (np.abs(second) > theory.ON)
  one = (first > theory.ON) & ~both
  order = np.argsort(np.where(both, 0, np.where(one, 1, 2)), kind="stable")
  x = np.argsort(order)
  for chosen, colour, label in (
    (both, SHARED, "two features"),
    (one, OURS, "one feature"),
    (~both & ~one, GREY, "none"),
  ):
    label = f"{label}: {int(chosen.sum())}"
    axes.bar(x[chosen], first[chosen], color=colour, width=0.8, label=label)
    axes.bar(x[chosen], second[chosen], color=colour, width=0.8, alpha=0.6)
  axes.axhline(0, color=GREY, linewidth=0.6)
  axes.set(ylim=(-1.15, 1.15), xlabel=f"unit, of {len(first)} that are used most")
  axes.set(ylabel="its two largest weights", title=f"a model of $m$ = {m} units")
  axes.legend(fontsize="small", loc="lower right")
