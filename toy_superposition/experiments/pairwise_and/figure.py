"""Losses and densities over the number of neurons, errors by case, and the circuits themselves."""

import json
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments.pairwise_and import theory
from toy_superposition.experiments.pairwise_and.analysis import MEAN_OTHERS
from toy_superposition.experiments.pairwise_and.claims import best_share, cases, compared

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} {what}, or as many draws of the construction; lines: their mean"
COLOURS = {"trained": "#d62728", "least squares": "#1f77b4", "average": "#7f7f7f"}
CASE_COLOURS = ("#1b9e77", "#d95f02", "#7570b3")
GREY = "0.5"


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: losses and errors above; densities, weights and read-outs below."""
  dataset = dataset.sortby("neurons").sortby("density")
  n = json.loads(dataset.attrs["config"])["model.n_features"]
  densities = dataset["density"].values.tolist()
  with style.style():
    figure = style.figure(3.7 * max(len(densities) + 1, 3), 6.8)
    above, below = figure.subfigures(2, 1, squeeze=False).ravel()
    panels = np.ravel(above.subplots(1, len(densities) + 1))
    for k, axes in enumerate(panels[:-1]):
      _draw_losses(axes, dataset.isel(density=k), n)
    panels[0].legend(fontsize="small")
    _draw_cases(panels[-1], compared(dataset, n))
    left, middle, right = below.subplots(1, 3)
    _draw_densities(left, dataset, n)
    _draw_weights(middle, compared(dataset, n))
    _draw_published(right, dataset.isel(neurons=0))
    figure.suptitle(f"The AND of all {theory.n_pairs(n)} pairs of {n} inputs by one layer of ReLUs")
  return figure


def _dots(axes: Axes, x: np.ndarray, y: "xr.DataArray", label: str) -> None:
  values, colour = y.transpose("neurons", "restart").values, COLOURS[label]
  axes.plot(x, values, "o", color=colour, markersize=2.5, alpha=0.4)
  words = "trained" if label == "trained" else f"construction, {label}"
  axes.plot(x, values.mean(axis=1), color=colour, linewidth=1.2, label=words)


def _draw_losses(axes: Axes, part: "xr.Dataset", n: int) -> None:
  neurons, p = part["neurons"].values, float(part["density"])
  linear = theory.linear_loss(n, p)
  _dots(axes, neurons, part["trained_loss"] / linear, "trained")
  made = best_share(part).sel(read_out="least squares") / linear
  _dots(axes, neurons, made, "least squares")
  line = np.arange(1, neurons.max() + 1)
  bound = [theory.lowest_loss(n, int(d), p) / linear for d in line]
  axes.plot(line, bound, color="k", linewidth=0.9, linestyle=":", label="bound")
  heights = (1, theory.constant_loss(n, p) / linear)
  for height, text in zip(heights, ("affine map of inputs", "constants"), strict=True):
    axes.axhline(height, color=GREY, linewidth=0.8, linestyle="--", zorder=0)
    axes.text(neurons.max(), height, text, color="0.4", fontsize="x-small", ha="right", va="bottom")
  axes.set(ylim=(0, 1.1 * heights[1]), xlabel="neurons $d$", title=f"p = {p:g}")
  axes.set_ylabel("loss / best affine map's")


def _draw_cases(axes: Axes, part: "xr.Dataset") -> None:
  for k, (name, array) in enumerate(cases(part, "error").items()):
    y = array.transpose("restart", "case").values
    x = np.arange(y.shape[1]) + 0.2 * (k - 1)
    axes.plot(x, y.T, "o", color=COLOURS[name], markersize=2.5, alpha=0.5)
  axes.set_xticks(range(len(theory.CASES)), theory.CASES)
  axes.set(yscale="log", ylim=(0.01, 1), ylabel="rms error", xlabel="active inputs of the pair")
  d, p = int(part["neurons"]), float(part["density"])
  axes.set_title(f"errors of {d} neurons, p = {p:g}\nred: trained, blue, grey: construction")


def _draw_densities(axes: Axes, dataset: "xr.Dataset", n: int) -> None:
  neurons = dataset["neurons"].values
  marks = ("o", "^", "s", "v")
  for k, p in enumerate(dataset["density"].values.tolist()):
    for name, colour in (("read_in_density", "#2ca02c"), ("read_out_density", "#9467bd")):
      y = dataset[name].isel(density=k).transpose("neurons", "restart").values
      axes.plot(neurons, y, marks[k % 4], color=colour, markersize=3, alpha=0.4)
      label = f"{'in' if name == 'read_in_density' else 'out'}, p = {p:g}"
      axes.plot(
        neurons, y.mean(axis=1), color=colour, marker=marks[k % 4], markersize=4, lw=1, label=label
      )
  for height, text in (
    (theory.normal_density(n), "normal weights (in)"),
    (2 / n, "a neuron for a pair (in)"),
  ):
    axes.axhline(height, color=GREY, linewidth=0.8, linestyle="--", zorder=0)
    axes.text(neurons.max(), height, text, color="0.4", fontsize="x-small", ha="right", va="bottom")
  axes.set(ylim=(0, 1.2), xlabel="neurons $d$", title="density of trained weights")
  axes.set_ylabel(r"$(\sum w^2)^2 / (n \sum w^4)$")
  axes.legend(fontsize="x-small", ncols=2, loc="upper center")


def _draw_weights(axes: Axes, part: "xr.Dataset") -> None:
  """Draws one training's read-in weights, each row by its largest."""
  d = int(part["neurons"])
  W = part["circuit"].transpose("row", "read").values[:d]
  image = axes.imshow(W, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
  axes.figure.colorbar(image, ax=axes, label="weight / largest")
  axes.set_xticks(range(0, W.shape[1], 2))
  axes.set_yticks(range(0, len(W), 5))
  axes.set(xlabel="input", ylabel="neuron", title=f"read-in of one training, d = {d}")


def _draw_published(axes: Axes, part: "xr.Dataset") -> None:
  """Draws read-outs of the published size, and their closed forms."""
  others = part["others"].values
  value = part["published_value"].transpose("others", "case", "restart").values
  line = range(1, others.max() + 1)
  for k, (case, colour) in enumerate(zip(theory.CASES, CASE_COLOURS, strict=True)):
    axes.plot(others, value[:, k], "o", color=colour, markersize=3, alpha=0.5)
    mean = np.array([theory.read_out(MEAN_OTHERS / r, r)[k] for r in line])
    axes.plot(line, np.where(mean > 0, mean, np.nan), color=colour, linewidth=1, label=case)
  axes.set(
    xscale="log", yscale="log", ylim=(1e-3, 2), xlabel="other active inputs $r$, $q$ = 0.1/r"
  )
  axes.set_xticks(others, [str(r) for r in others])
  axes.minorticks_off()
  axes.set(ylabel="mean read-out", title="construction, 400 inputs, 4 000 neurons")
  axes.legend(fontsize="small", title="active of the pair", loc=(0.6, 0.3))
