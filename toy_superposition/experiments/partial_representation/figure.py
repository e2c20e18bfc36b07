"""Share represented, loss and critical width of trained models, with the mean field over them."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments.partial_representation.analysis import (
  FULL,
  by_width,
  equal,
  first_full,
  n_features,
  of_mean_field,
  pairs_loss,
  ratios,
  unequal,
)
from toy_superposition.theory import mean_field

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: mean of {n} {what}, bars: their range"
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#e377c2")
OTHER = "0.35"  # of unequal densities
PAIRS = 0.1  # density at which antipodal pairs are drawn
LINE = np.linspace(0.004, 1, 250)


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: dots are trained models, lines the mean field at the same density."""
  with style.style():
    figure = style.figure(11.4, 4.0)
    share, loss, critical = figure.subplots(1, 3)
    end = 1.08 * ratios(dataset).max()
    line = LINE[end >= LINE]
    for (p, features), colour in zip(equal(dataset).items(), COLOURS, strict=False):
      theory = np.array([of_mean_field(float(x), p)[:2] for x in line])
      share.plot(line, theory[:, 0], color=colour, linewidth=1.1)
      loss.plot(line, theory[:, 1], color=colour, linewidth=1.1)
      _dots(share, dataset, "share", features, colour, f"$p$ = {p:g}")
      _dots(loss, dataset, "relative_loss", features, colour, "")
      for axes in (share, loss):
        at = 1 / mean_field.best_load(p)
        axes.axvline(at, color=colour, linewidth=0.6, linestyle=":", zorder=0)
    for mean, features in unequal(dataset).items():
      _dots(share, dataset, "share", features, OTHER, f"unequal, mean {mean:g}", marker="s")
      _dots(loss, dataset, "relative_loss", features, OTHER, "", marker="s")
    if PAIRS in equal(dataset):
      few = line[line <= 0.5]
      name = f"antipodal pairs, $p$ = {PAIRS:g}: exact"
      loss.plot(few, pairs_loss(few, PAIRS), color="0.4", linewidth=0.9, linestyle="--", label=name)
      loss.legend(fontsize="small", loc="lower left")
    share.set(ylabel="share of features represented", ylim=(0, 1.04), title="representation")
    loss.set(ylabel="loss over that of ignoring all", ylim=(0, 1.02), title="loss")
    for axes in (share, loss):
      axes.set(xlim=(0, end), xlabel="dimensions per feature, $m/n$")
    share.legend(fontsize="small", loc="lower right")
    draw_critical(critical, dataset)
    figure.suptitle(
      f"{n_features(dataset)} equally important features; lines: Gaussian mean field, dotted: "
      "its critical width"
    )
  return figure


def _dots(
  axes: Axes,
  dataset: "xr.Dataset",
  name: str,
  features: object,
  colour: str,
  label: str,
  marker: str = "o",
) -> None:
  """Draws the means over restarts of a variable, with their range, over m / n."""
  values, x = by_width(dataset, name, features), ratios(dataset)
  axes.vlines(x, values.min(axis=0), values.max(axis=0), color=colour, linewidth=1)
  axes.plot(x, values.mean(axis=0), marker, color=colour, markersize=3.5, label=label)


def draw_critical(axes: Axes, dataset: "xr.Dataset") -> Axes:
  """Draws over p the width from which all features are represented."""
  line = np.geomspace(0.02, 0.4, 20)
  theory = [1 / mean_field.best_load(float(p)) for p in line]
  axes.plot(line, theory, color="0.2", linewidth=1.2, label="mean field, $1/l^*$")
  factor = 1 / mean_field.best_load(0.1) / (0.1 * np.log(10))
  axes.plot(
    line,
    factor * line * np.log(1 / line),
    color="0.6",
    linewidth=0.9,
    linestyle="--",
    label=rf"${factor:.2f}\;p\,\ln(1/p)$",
  )
  x, known = ratios(dataset), {p: (f, "o") for p, f in equal(dataset).items()}
  known |= {p * 1.04: (f, "s") for p, f in unequal(dataset).items()}  # beside the equal ones
  colours = [*COLOURS[: len(equal(dataset))], *[OTHER] * len(unequal(dataset))]
  for (p, (features, marker)), colour in zip(known.items(), colours, strict=True):
    found = first_full(x, by_width(dataset, "share", features))
    found = found[np.isfinite(found)]
    if found.size:
      axes.vlines(p, found.min(), found.max(), color=colour, linewidth=1)
      axes.plot(p, found.mean(), marker, color=colour, markersize=4.5)
  axes.plot([], [], "o", color="0.2", markersize=4.5, label=f"trained: {FULL:.0%} represented")
  axes.set(xscale="log", yscale="log", xlabel="mean density $p$", title="critical width")
  axes.set_ylabel("$m/n$")
  axes.set_xticks([0.02, 0.05, 0.1, 0.2, 0.4], labels=["0.02", "0.05", "0.1", "0.2", "0.4"])
  axes.set_yticks([0.1, 0.2, 0.3, 0.5], labels=["0.1", "0.2", "0.3", "0.5"])
  axes.tick_params(which="minor", labelbottom=False, labelleft=False)
  axes.legend(fontsize="small", loc="upper left")
  return axes
