"""Loss against the number of dimensions in each regime, and the exponents against α."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from toy_superposition.drawing import style
from toy_superposition.experiments.superposition_scaling.analysis import (
  by_width,
  decays,
  exponent,
  from_zero,
  power,
  strong,
  widths,
)

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: mean of {n} {what}, bars: their range; bars of exponents: 95 % over {what}"
COLOURS = ("#1f77b4", "#2ca02c", "#d62728", "#9467bd", "#e8a013", "#8c564b", "#e377c2", "#17becf")

SHORT = {"exponential": "exp.", "linear": "lin."}
# Colour and marker of exponents by sign of γ, and by whether it is 1 in size.
LOOKS = {True: ("0.1", "o"), False: ("#c2410c", "^")}
LESS = "#e8a013"
REFERENCES = {"orthogonal": "--", "random_code": ":"}


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: a panel per regime with its reference lines, and one of exponents."""
  regimes = [*dataset["regime"].values]
  with style.style():
    n_rows = -(-(len(regimes) + 1) // 3)
    figure = style.figure(11.4, 3.7 * n_rows)
    panels = figure.subplots(n_rows, 3, squeeze=False).ravel()
    low, high = float(dataset["loss"].min()), float(dataset["zero"].max())
    for axes, regime in zip(panels, regimes, strict=False):
      draw_losses(axes, dataset, regime)
      axes.set_ylim(0.7 * low, 1.6 * high)
    draw_exponents(panels[len(regimes)], dataset)
    for axes in panels[len(regimes) + 1 :]:
      axes.set_axis_off()
    draw_key(figure, panels, len(regimes) + 1, dataset)
    figure.suptitle(
      "Loss of features on [0, 2], one of them active on average, against the number of dimensions"
    )
  return figure


def draw_losses(axes: Axes, dataset: "xr.Dataset", regime: object) -> Axes:
  """Draws the losses of one regime, over random directions or the bound of orthogonal features."""
  m, reference = widths(dataset), "random_code" if regime in strong(dataset) else "orthogonal"
  for frequencies, colour in zip(dataset["frequencies"].values, COLOURS, strict=False):
    loss = by_width(dataset, "loss", frequencies, regime)
    bound = by_width(dataset, reference, frequencies, regime)[0]
    axes.plot(m, bound, color=colour, linewidth=0.9, linestyle="--")
    axes.plot(m, loss.mean(axis=0), "o-", color=colour, markersize=3.5, linewidth=0.9)
    axes.vlines(m, loss.min(axis=0), loss.max(axis=0), color=colour, linewidth=1)
    if regime not in strong(dataset):
      ignored = by_width(dataset, "ignored", frequencies, regime).mean(axis=0)
      axes.plot(m, ignored, color=colour, linewidth=1.1, linestyle=":")
  axes.axhline(4 / 3, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
  if regime in strong(dataset):
    line = 0.9 * float(dataset["loss"].min()) * m[-1] / m
    axes.plot(m, line, color="0.5", linewidth=0.8)
    axes.annotate(
      "∝ 1/m", (m[0], line[0]), (8, 0), textcoords="offset points", va="bottom", color="0.4"
    )
  words = {True: "biases from 0", False: "normal first biases"}[from_zero(dataset, regime)]
  decay = decays(dataset)[regime]
  kind = "strong" if decay < 0 else "weak"
  axes.set(xscale="log", yscale="log", title=f"{kind}: $\\gamma = {decay:g}$, {words}")
  axes.set(xlabel="dimensions $m$", ylabel="loss, summed over features")
  axes.set_xticks(m, labels=[str(x) for x in m])
  axes.set_xticks([], minor=True)
  return axes


def draw_exponents(axes: Axes, dataset: "xr.Dataset") -> Axes:
  """Draws the exponents over α, and those of other laws at the right."""
  laws, m = power(dataset), widths(dataset)
  others = [f for f in dataset["frequencies"].values if f not in laws]
  end = max(laws.values(), default=0.0)
  place = laws | {f: end + 0.35 * (k + 1) for k, f in enumerate(others)}
  regimes = dataset["regime"].values
  for k, regime in enumerate(regimes):
    decay = decays(dataset)[regime]
    colour, marker = LOOKS[decay < 0]
    colour = colour if abs(decay) == 1 else LESS
    face = "white" if from_zero(dataset, regime) else colour
    found = {f: exponent(m, by_width(dataset, "loss", f, regime)) for f in place}
    x = np.array([place[f] for f in found]) + 0.02 * (k - (len(regimes) - 1) / 2)
    mean = np.array([e.mean for e in found.values()])
    half = np.nan_to_num([e.half for e in found.values()])
    axes.errorbar(
      x,
      mean,
      half,
      linestyle="",
      marker=marker,
      markersize=4.5,
      color=colour,
      markerfacecolor=face,
      label=f"$\\gamma = {decay:g}$" + (", from 0" if from_zero(dataset, regime) else ""),
    )
  for reference, look in REFERENCES.items():
    name = {"orthogonal": "$m$ orthogonal features", "random_code": "random directions"}[reference]
    each = [exponent(m, by_width(dataset, reference, f, regimes[0])).mean for f in laws]
    axes.plot(list(laws.values()), each, look, color="0.5", linewidth=1, label=name)
  axes.axhline(1, color="0.6", linewidth=0.7, zorder=0)
  ticks = list(place.values())
  axes.set_xticks(
    ticks, labels=[f"{laws[f]:g}" if f in laws else SHORT.get(str(f), str(f)) for f in place]
  )
  axes.set(xlabel=r"$\alpha$ of $p_i \propto i^{-(1+\alpha)}$; other laws", title="exponents")
  axes.set_ylabel("−d log loss / d log $m$")
  axes.set_ylim(0, axes.get_ylim()[1] * 1.5)
  axes.legend(fontsize="small", ncols=2, loc="upper left", columnspacing=1)
  return axes


def draw_key(figure: Figure, panels: np.ndarray, at: int, dataset: "xr.Dataset") -> None:
  """Draws the names of the frequencies and of the lines, in the panel after the last, if any."""
  named = zip(dataset["frequencies"].values, COLOURS, strict=False)
  handles = [Line2D([], [], color=c, marker="o", markersize=3.5, label=str(f)) for f, c in named]
  handles += [
    Line2D([], [], color="0.3", linestyle="--", label="strong: random directions, best biases"),
    Line2D([], [], color="0.3", linestyle="--", label="weak: bound of $m$ orthogonal features"),
    Line2D([], [], color="0.3", linestyle=":", label="weak: (4/3) Σ p of what is not represented"),
    Line2D([], [], color="0.6", linestyle=":", linewidth=0.8, label="no dimension: 4/3"),
  ]
  if at < len(panels):
    panels[at].legend(handles=handles, loc="center", title="frequencies $p_i$")
  else:
    style.legend_below(figure, handles=handles, ncols=4)
