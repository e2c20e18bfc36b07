"""Losses of features sorted, answers to single features, and losses beside the naive ones."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import style

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "lines: mean of {n} {what}, band: range; dots: all; answers: one"
COLOURS = {2.0: "#1f77b4", 4.0: "#d62728"}
DASHES = {0.0: "-", 1.0: "--"}


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: sorted losses and overall ratios above, answers below."""
  cells = [(m, q) for m in dataset["mixing"].values for q in dataset["q"].values]
  with style.style():
    figure = style.figure(max(9.6, 3.1 * len(cells)), 6.2)
    above, below = figure.subfigures(2, 1, squeeze=False).ravel()
    panels = above.subplots(1, 4)
    for axes, power in zip(panels, dataset["power"].values, strict=False):
      _draw_sorted(axes, dataset.sel(power=power), float(power))
    panels[1].legend(fontsize="small", loc="upper left")
    _draw_ratios(panels[2], dataset)
    _draw_shares(panels[3], dataset)
    for axes, (mixing, q) in zip(np.ravel(below.subplots(1, len(cells))), cells, strict=True):
      _draw_answers(axes, dataset.sel(mixing=mixing, q=q), f"L{q:g}, mixing {mixing:g}")
    n, d = dataset.sizes["feature"], dataset.sizes["hidden"]
    figure.suptitle(f"{d} ReLU neurons for {n} features: $y$ = ReLU($x$) + $c\\,Mx$")
  return figure


def _draw_sorted(axes: Axes, part: "xr.Dataset", power: float) -> None:
  for mixing in part["mixing"].values:
    for q in part["q"].values:
      values = part["judged"].sel(mixing=mixing, q=q).transpose("restart", "output").values
      order = np.sort(values, axis=1)
      x = np.arange(1, order.shape[1] + 1)
      colour = COLOURS.get(float(q), "0.4")
      axes.fill_between(x, order.min(axis=0), order.max(axis=0), color=colour, alpha=0.15, lw=0)
      label = f"trained on L{q:g}, mixing {mixing:g}"
      dash = DASHES.get(float(mixing), ":")
      axes.plot(x, order.mean(axis=0), dash, color=colour, linewidth=1.2, label=label)
  d, n = part.sizes["hidden"], part.sizes["output"]
  none = 1 / (2 * (power + 1))
  axes.plot([1, d, d, n], [0, 0, none, none], color="0.5", linewidth=0.8, linestyle=":")
  axes.set(xlabel="feature, sorted", title=f"L{power:g} of each feature; dotted: naive")
  axes.set_ylabel(f"L{power:g} / density")


def _draw_ratios(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws mean losses over the naive one, of both kinds of training in both exponents."""
  ratio = dataset["judged"].mean("output") / dataset["naive"]
  ticks, labels = [], []
  for k, power in enumerate(dataset["power"].values):
    for i, mixing in enumerate(dataset["mixing"].values):
      place = k * (dataset.sizes["mixing"] + 0.5) + i
      ticks.append(place)
      labels.append(f"L{power:g}\nc = {mixing:g}")
      for q in dataset["q"].values:
        values = ratio.sel(power=power, mixing=mixing, q=q).values.ravel()
        shift = 0.12 if q > 2 else -0.12
        colour = COLOURS.get(float(q), "0.4")
        axes.plot(np.full(len(values), place + shift), values, "o", color=colour, markersize=3)
  axes.axhline(1, color="0.5", linewidth=0.8, linestyle=":")
  axes.set_xticks(ticks, labels)
  axes.set(ylim=(0, None), ylabel="loss / naive loss", title="all features; blue: L2, red: L4")


def _draw_shares(axes: Axes, dataset: "xr.Dataset") -> None:
  for i, mixing in enumerate(dataset["mixing"].values):
    for q in dataset["q"].values:
      values = dataset["eigen_share"].sel(mixing=mixing, q=q).values.ravel()
      shift = 0.1 if q > 2 else -0.1
      colour = COLOURS.get(float(q), "0.4")
      axes.plot(np.full(len(values), i + shift), values, "o", color=colour, markersize=3)
  chance = dataset.sizes["hidden"] / dataset.sizes["feature"]
  axes.axhline(chance, color="0.5", linewidth=0.8, linestyle="--")
  axes.text(-0.48, chance, "chance", fontsize="small", color="0.4", va="bottom", ha="left")
  points = dataset["mixing"].values
  axes.set_xticks(range(len(points)), [f"c = {point:g}" for point in points])
  axes.set(ylim=(0, 1.05), xlim=(-0.5, len(points) - 0.5), title="neurons in M's top eigenvectors")
  axes.set_ylabel("share of $\\|W_1\\|^2$")


def _draw_answers(axes: Axes, cell: "xr.Dataset", title: str) -> None:
  x = cell["x"].values
  axes.plot(x, cell["answer"].isel(restart=0).transpose("x", "output").values, color="0.4", lw=0.4)
  axes.plot(x, np.maximum(x, 0), color="#2ca02c", linewidth=1, linestyle="--")
  axes.set(xlabel="$x_i$ alone", ylabel="output $i$", ylim=(-0.3, 1.2), title=title)
