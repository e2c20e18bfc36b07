"""Virtual weights by what they do, between seeds and beside the circuit; rankings of them."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import style

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "rankings: mean of {n} {what}, band: range; histograms: all; dots: one or two"
REAL, OTHER, MISSING = "#d62728", "#7f9fc4", "0.15"
COLOURS = {
  "size |U|": "#1f77b4",
  "weight U": "#17becf",
  "expected attribution": "#d62728",
  "target-weighted": "#2ca02c",
  "frequency": "#8c564b",
  "loss gain": "0.4",
}
TITLES = {
  "a: easy": "(a) stores {n}, tied",
  "b: hard": "(b) computes ReLU(Ax − t)",
  "c: frozen": "(c) as (b), $W_1$ frozen",
}


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: a row per set-up."""
  setups = [str(name) for name in dataset["setup"].values]
  with style.style():
    figure = style.figure(15.6, 2.75 * len(setups) + 0.5)
    grid = figure.subplots(len(setups), 6, squeeze=False)
    for row, name in zip(grid, setups, strict=True):
      part = dataset.sel(setup=name)
      title = TITLES.get(name, name).format(n=int(part["n_circuit"]))
      _draw_histogram(row[0], part, title)
      _draw_circuit(row[1], part)
      _draw_seeds(row[2], part)
      _draw_definitions(row[3], part)
      _draw_ranking(row[4], part, "recall", "precision")
      _draw_ranking(row[5], part, "kept", "kept_gain")
      share = float((part["n_real"] / part["n_weights"]).mean())
      row[4].axhline(share, color="0.6", linewidth=0.8, linestyle="--", zorder=0)
    for column in (0, 3):
      grid[len(setups) // 2, column].legend(fontsize="small", loc="upper left")
    handles, labels = grid[0, 4].get_legend_handles_labels()
    style.legend_below(figure, handles, labels, ncols=len(labels), fontsize="small")
    figure.suptitle(
      "Virtual weights $U$: real ones (the loss rises by more than $10^{-4}$ without them) and "
      "interference"
    )
  return figure


def _draw_histogram(axes: Axes, part: "xr.Dataset", title: str) -> None:
  bins = part["bin"].values
  width = bins[1] - bins[0]
  for name, colour, label in (
    ("weights_other", OTHER, "interference"),
    ("weights_real", REAL, "real"),
  ):
    counts = part[name].sum("restart").values / part.sizes["restart"]
    axes.bar(bins, counts, width, color=colour, alpha=0.8, label=label)
  seen = (part["weights_other"] + part["weights_real"]).sum("restart").values > 0
  low, high = bins[seen].min() - width, bins[seen].max() + width
  axes.set(yscale="log", xlim=(low, high), title=title, xlabel="$U$", ylabel="weights a model")


def _dots(axes: Axes, part: "xr.Dataset", x: str, y: str) -> None:
  real = part["shown_real"].values.astype(bool)
  for chosen, colour, size in ((~real, OTHER, 3), (real, REAL, 7)):
    axes.scatter(part[x].values[chosen], part[y].values[chosen], s=size, color=colour, linewidth=0)


def _draw_circuit(axes: Axes, part: "xr.Dataset") -> None:
  """Draws U against the weights of a model without loss: shrunk, or not learned at all."""
  _dots(axes, part, "shown_oracle", "shown_first")
  axes.plot([0, 1], [0, 1], color="0.5", linewidth=0.8, linestyle=":")
  axes.set(xlabel="optimum in $n$ dimensions, $A$", ylabel="$U$", title="beside the exact circuit")


def _draw_seeds(axes: Axes, part: "xr.Dataset") -> None:
  _dots(axes, part, "shown_first", "shown_second")
  axes.set(xlabel="$U$ of a seed", ylabel="$U$ of another", title="between seeds")


def _draw_definitions(axes: Axes, part: "xr.Dataset") -> None:
  """Draws the interference of one definition against that of the other, of outputs that can fire.

  On the line they are the same; real weights have none by the first definition, and weights of the
  circuit that were not learned have all of −U* by the second.
  """
  U, optimum = part["shown_first"].values, part["shown_oracle"].values
  real, fires = part["shown_real"].values.astype(bool), part["shown_fires"].values.astype(bool)
  rest = fires & ~real
  for chosen, colour, size, label in (
    (rest & (optimum == 0), OTHER, 3, "not in the circuit"),
    (fires & real, REAL, 7, "real"),
    (rest & (optimum != 0), MISSING, 7, "in the circuit, not real"),
  ):
    x, y = np.where(real, 0, U)[chosen], (U - optimum)[chosen]
    axes.scatter(x, y, s=size, color=colour, linewidth=0, label=label)
  end = float(np.abs(U[fires]).max())
  axes.plot([-end, end], [-end, end], color="0.5", linewidth=0.8, linestyle=":", zorder=0)
  axes.set(xlabel="$U$ where ΔL ≤ 10⁻⁴, else 0", ylabel="$U - U^*$", title="two definitions")


def _draw_ranking(axes: Axes, part: "xr.Dataset", over: str, name: str) -> None:
  x = part[over].values
  for ranking in part["ranking"].values:
    values = part[name].sel(ranking=ranking).transpose("restart", over).values
    colour = COLOURS.get(str(ranking), "0.5")
    dashed = "--" if ranking == "loss gain" else "-"
    axes.fill_between(
      x, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2, linewidth=0
    )
    axes.plot(x, np.nanmean(values, axis=0), dashed, color=colour, linewidth=1.2, label=ranking)
  if name == "precision":
    axes.set(xlabel="recall of real weights", ylabel="precision", ylim=(0, 1.04), title="rankings")
  else:
    axes.set(xlabel="share of weights kept", ylabel="ΔL of the kept / all positive ΔL")
    axes.set(xscale="log", ylim=(-0.05, 1.04), title="what the kept weights do")
