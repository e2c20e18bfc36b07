"""Overlaps by the size of circuits, wrong circuits by how many are active, errors by layer."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments.circuits_in_superposition import theory
from toy_superposition.experiments.circuits_in_superposition.claims import tail

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "lines: mean of {n} {what}; bars and bands: range"
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b")
DASHES = {"step and inhibition": "-", "step": "--", "no step": ":"}


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: overlaps, steps, and a panel per number of circuits in a network."""
  with style.style():
    figure = style.figure(12.6, 6.2)
    above, below = figure.subplots(2, 4)
    _draw_overlap(above[0], dataset)
    _draw_chance(above[1], dataset)
    _draw_wrong(above[2], dataset)
    _draw_vectors(above[3], dataset)
    for axes, n in zip(below, dataset["circuits"].values.tolist(), strict=False):
      _draw_network(
        axes, dataset.sel(circuits=n), f"network of {4 * theory.BLOCKS} neurons, T = {n}"
      )
    below[0].set_ylabel("indicator of inactive circuits, rms")
    handles, labels = below[0].get_legend_handles_labels()
    style.legend_below(figure, handles, labels, ncols=len(labels), fontsize="small")
    figure.suptitle(
      f"{dataset.sizes['feature']} circuits in {theory.BLOCKS} blocks of neurons, "
      f"{theory.OWN} blocks each; nothing is trained"
    )
  return figure


def _bars(values: "xr.DataArray", over: str) -> tuple[np.ndarray, np.ndarray]:
  """Returns the mean over restarts, and the distances to the least and largest."""
  array = values.transpose("restart", over).values
  mean = array.mean(axis=0)
  bars = np.stack([mean - array.min(axis=0), array.max(axis=0) - mean])
  return mean, np.maximum(bars, 0)  # round-off


def _draw_overlap(axes: Axes, dataset: "xr.Dataset") -> None:
  mean, bars = _bars(dataset["mean_square"] * theory.BLOCKS, "own")
  axes.errorbar(dataset["own"], mean, bars, fmt="o", color=COLOURS[0], markersize=4)
  axes.axhline(1, color="0.5", linestyle="--", linewidth=0.8)
  axes.set(xlabel="blocks $S$ of a circuit", ylim=(0, 1.3), title="overlap of two circuits")
  axes.set_ylabel("$B$ · mean square; dashed: 1")


def _draw_chance(axes: Axes, dataset: "xr.Dataset") -> None:
  size = dataset["own"].values
  mean, bars = _bars(dataset["meeting"], "own")
  axes.errorbar(size, mean, bars, fmt="o", color=COLOURS[0], markersize=4, label="lines of a plane")
  axes.plot(size, size**2 / theory.BLOCKS, "--", color="0.5", linewidth=0.8, label="$S^2/B$")
  axes.set(xlabel="blocks $S$ of a circuit", ylabel="probability", title="two circuits meet")
  axes.legend(fontsize="small")


def _draw_wrong(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws wrong circuits an example, with a step for every circuit."""
  T, active = dataset.sizes["feature"], dataset["step_active"].values
  layers = dataset["step_layer"].values
  for layer, colour in ((layers[0], COLOURS[0]), (layers[-1], COLOURS[3])):
    mean, bars = _bars(T * dataset["wrong"].sel(step_layer=layer), "step_active")
    axes.errorbar(active, mean, bars, fmt="o-", color=colour, markersize=3, label=f"layer {layer}")
  p = theory.meeting(theory.BLOCKS, theory.OWN)
  expected = np.array([tail(int(z), theory.OWN // 2 + 1, p) * T for z in active])
  seen = expected > 0
  axes.plot(active[seen], expected[seen], "k--", linewidth=0.8, label="layer 1, independent")
  axes.axvline(theory.OWN / 2, color="0.6", linewidth=0.8, linestyle=":")
  axes.set_yscale("symlog", linthresh=0.1)
  axes.set(xlabel="active circuits $z$", ylabel="wrong circuits an example", ylim=(-0.01, 2 * T))
  axes.set_title("a step for each circuit; dotted: $S/2$")
  axes.legend(fontsize="small", loc="upper left")


def _draw_vectors(axes: Axes, dataset: "xr.Dataset") -> None:
  part = dataset["vector_error"].sel(active=1, variant="step and inhibition")
  for n, colour in zip(dataset["circuits"].values.tolist(), COLOURS, strict=False):
    _band(axes, part.sel(circuits=n), colour, "-", f"T = {n}")
  axes.axhline(1, color="0.6", linewidth=0.8)
  axes.set(yscale="log", xlabel="layer", ylabel="error of the vector, rms", ylim=(0.05, 30))
  axes.set_title("one active, step and inhibition")
  axes.legend(fontsize="small")


def _band(axes: Axes, values: "xr.DataArray", colour: str, dash: str, label: str | None) -> None:
  array, layer = values.transpose("restart", "layer").values, values["layer"].values
  axes.fill_between(layer, array.min(axis=0), array.max(axis=0), color=colour, alpha=0.15, lw=0)
  axes.plot(layer, array.mean(axis=0), dash, color=colour, linewidth=1.2, label=label)


def _draw_network(axes: Axes, part: "xr.Dataset", title: str) -> None:
  for variant, dash in DASHES.items():
    for z, colour in zip(part["active"].values.tolist(), COLOURS, strict=False):
      values = part["off_error"].sel(variant=variant, active=z)
      _band(axes, values, colour, dash, f"z = {z}, {variant}")
  axes.axhline(1, color="0.6", linewidth=0.8)
  axes.set(yscale="log", xlabel="layer", ylim=(0.04, 40), title=title)
