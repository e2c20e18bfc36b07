"""Monosemantic neurons, features with one, and losses over the number of neurons, by first bias."""

import json
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments.engineering_monosemanticity import theory
from toy_superposition.experiments.engineering_monosemanticity.claims import share, unexplained
from toy_superposition.geometry.definitions import MONOSEMANTIC

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} random embeddings; lines: their mean; crosses: random directions, mean"
GREY = "0.5"


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: shares and losses over neurons, and the purities of the widest layer."""
  dataset = dataset.sortby("neurons").sortby("bias", ascending=False)
  values = json.loads(dataset.attrs["config"])
  n, m, p = (values[f] for f in ("model.n_features", "data.n_dimensions", "density.base"))
  biases = dataset["bias"].values.tolist()
  colours = colormaps["viridis"](np.linspace(0.85, 0.1, len(biases)))
  with style.style():
    figure = style.figure(13.2, 3.8)
    left, second, third, right = figure.subplots(1, 4)
    for bias, colour in zip(biases, colours, strict=True):
      part = dataset.sel(bias=bias)
      label = f"from bias {bias:g}"
      _lines(left, share(part), colour, label)
      chance = share(part, "chance").mean("embedding")
      left.plot(chance["neurons"], chance.values, "x", color=colour, markersize=4)
      _lines(second, part["counts"].sel(count="features") / n, colour, label)
      _lines(third, unexplained(part, n, p), colour, label)
      _draw_purities(right, part.isel(neurons=-1), colour)
    left.set(ylim=(-0.02, 1.02), ylabel="share of active neurons", title="monosemantic neurons")
    second.set(ylim=(-0.02, 1.02), ylabel="share of features", title="features with such a neuron")
    left.legend(fontsize="small")
    scale = n * theory.variance(p)
    detectors = float(dataset["detectors"].isel(neurons=0).mean()) / scale
    known = (((n - m) / n, "best affine map"), (detectors, "a neuron for every feature"))
    for height, text in known:
      third.axhline(height, color=GREY, linewidth=0.8, linestyle="--", zorder=0)
      third.text(
        dataset["neurons"].max(),
        height,
        text,
        color="0.4",
        fontsize="x-small",
        ha="right",
        va="bottom",
      )
    third.set(ylim=(0, 1.1 * (n - m) / n), ylabel="loss / $n$ Var $x$", title="trained loss")
    for axes in (left, second, third):
      axes.axvline(n, color=GREY, linewidth=0.6, linestyle=":", zorder=0)
      axes.set(xlabel="neurons $k$", xscale="log")
      axes.set_xticks(dataset["neurons"].values, [str(k) for k in dataset["neurons"].values])
      axes.minorticks_off()
    k = int(dataset["neurons"].max())
    right.axvline(MONOSEMANTIC, color=GREY, linewidth=0.8, linestyle="--")
    right.set(xlabel="purity of responses", ylabel="active neurons", title=f"{k} neurons")
    figure.suptitle(f"Decoding {n} features from {m} dimensions, p = {p:.3g}; dotted: $k = n$")
  return figure


def _lines(axes: Axes, values: "xr.DataArray", colour: np.ndarray, label: str) -> None:
  y = values.transpose("neurons", "embedding").values
  axes.plot(values["neurons"], y, "o", color=colour, markersize=2.5, alpha=0.5)
  axes.plot(values["neurons"], y.mean(axis=1), color=colour, linewidth=1.2, label=label)


def _draw_purities(axes: Axes, part: "xr.Dataset", colour: np.ndarray) -> None:
  mean = part["histogram"].mean("embedding").values
  axes.step(part["purity"].values, mean, where="mid", color=colour, linewidth=1.2)
