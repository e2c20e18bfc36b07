"""Bases and numbers of features over dropout, one line per number of features."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments.dropout_basis import theory
from toy_superposition.experiments.dropout_basis.claims import best

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} {what}; lines: the best by loss under dropout"
GREY = "0.5"


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: fourth moments, features per dimension, and loss under dropout."""
  values = json.loads(dataset.attrs["config"])
  m, density = values["model.n_hidden"], values["density.base"]
  dataset = dataset.sortby("dropout").sortby("n")
  q, numbers = dataset["dropout"].values, dataset["n"].values.tolist()
  with style.style():
    figure = style.figure(11.4, 3.7)
    left, middle, right = figure.subplots(1, 3)
    for k, n in enumerate(numbers):
      colour = colormaps["viridis"](0.85 * k / max(len(numbers) - 1, 1))
      part = dataset.isel(n=k)
      optimum = best(part)
      label = f"$n/m$ = {n / m:g}"
      for axes, name in ((left, "fourth_moment"), (middle, "per_dimension")):
        y = part[name].transpose("dropout", "restart").values
        axes.plot(q, y, "o", color=colour, markersize=2.5, alpha=0.4)
        axes.plot(q, optimum[name].values, color=colour, linewidth=1.2, label=label)
      share = part["dropout_loss"].transpose("dropout", "restart").values / (n * density / 3)
      right.plot(q, share, "o", color=colour, markersize=2.5, alpha=0.4)
      right.plot(q, share.min(axis=1), color=colour, linewidth=1.2)
    references = (
      (1 / m, "1/m\nspread"),
      (theory.random_moment(m), "3/(m + 2)\nrandom"),
      (1, "1\naxes"),
    )
    for height, text in references:
      left.axhline(height, color=GREY, linewidth=0.8, linestyle="--", zorder=0)
      beside: dict[str, Any] = {
        "transform": left.get_yaxis_transform(),
        "va": "center",
        "fontsize": "x-small",
      }
      left.text(1.02, height, text, color="0.35", **beside)
    left.set(ylim=(0.15, 1.08), ylabel=r"mean $\sum_k \hat w_k^4$", title="basis")
    line = np.linspace(0, q[-1], 50)
    aligned = [theory.aligned_loss(1, density, one) * 3 / density for one in line.tolist()]
    bound = [theory.bound(1, m, density, one) * 3 / density for one in line.tolist()]
    right.plot(line, aligned, color=GREY, linewidth=1, linestyle="--", label="a unit for each")
    right.plot(line, bound, color=GREY, linewidth=1, linestyle=":", label="bound: undisturbed")
    right.set(ylabel=r"loss under dropout over $n\,E x^2$", title="loss, exact over masks")
    right.legend(fontsize="small", loc="upper left")
    middle.set(ylabel=r"$\|W\|_F^2 / m$", title="features per dimension", ylim=(0, None))
    middle.legend(fontsize="small", loc="upper right")
    for axes in (left, middle, right):
      axes.set(xlabel="dropout $q$")
    figure.suptitle(f"Dropout of {m} hidden units, p = {density:g}")
  return figure
