"""Bases and numbers of features over dropout, one line per number of features."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments.dropout_basis import theory
from toy_superposition.experiments.dropout_basis.claims import of_noise

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} {what}; lines: lowest loss of direct descents (normal noise: mean of {what})"
GREY = "0.5"


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: bases with dropout and with normal noise, features per dimension, loss."""
  values = json.loads(dataset.attrs["config"])
  m, density = values["model.n_hidden"], values["density.base"]
  dataset = dataset.sortby("dropout").sortby("n")
  dropped, control = of_noise(dataset, 0.0), of_noise(dataset, 1.0)
  with style.style():
    figure = style.figure(14.4, 3.7)
    panels = figure.subplots(1, 4)
    for axes, part, title in (
      (panels[0], dropped, "basis: dropout"),
      (panels[1], control, "basis: normal noise of equal variance"),
    ):
      if part is not None:
        _draw_basis(axes, part, m, mean=part is control)
      axes.set(ylim=(0.15, 1.08), ylabel=r"mean $\sum_k \hat w_k^4$", title=title)
    if dropped is not None:
      _draw_lines(panels[2], dropped, "per_dimension", m)
      _draw_loss(panels[3], dropped, m, density)
    panels[2].set(ylabel=r"$\|W\|_F^2 / m$", title="features per dimension", ylim=(0, None))
    panels[2].legend(fontsize="small", loc="upper right")
    panels[3].set(ylabel=r"loss under dropout over $n\,E x^2$", title="loss, exact over masks")
    panels[3].legend(fontsize="small", loc="upper left")
    for axes in panels:
      axes.set(xlabel="dropout $q$")
    figure.suptitle(f"Dropout of {m} hidden units, p = {density:g}")
  return figure


def _colours(numbers: list[int]) -> list[Any]:
  return [colormaps["viridis"](0.85 * k / max(len(numbers) - 1, 1)) for k in range(len(numbers))]


def _draw_lines(axes: Axes, part: "xr.Dataset", name: str, m: int, mean: bool = False) -> None:
  """Draws a number of all trainings as dots, and at the lowest loss, or their mean, as lines."""
  q, numbers = part["dropout"].values, part["n"].values.tolist()
  for n, colour in zip(numbers, _colours(numbers), strict=True):
    y = part[name].sel(n=n).transpose("dropout", "restart").values
    line = y.mean(axis=1) if mean else part[f"minimum_{name}"].sel(n=n).values
    axes.plot(q, y, "o", color=colour, markersize=2.5, alpha=0.4)
    axes.plot(q, line, color=colour, linewidth=1.2, label=f"$n/m$ = {n / m:g}")


def _draw_basis(axes: Axes, part: "xr.Dataset", m: int, mean: bool) -> None:
  """Draws fourth moments, with those of three kinds of directions."""
  _draw_lines(axes, part, "fourth_moment", m, mean)
  references = (
    (1 / m, "1/m\nspread"),
    (theory.random_moment(m), "3/(m + 2)\nrandom"),
    (1, "1\naxes"),
  )
  for height, text in references:
    axes.axhline(height, color=GREY, linewidth=0.8, linestyle="--", zorder=0)
    beside: dict[str, Any] = {
      "transform": axes.get_yaxis_transform(),
      "va": "center",
      "fontsize": "x-small",
    }
    axes.text(1.02, height, text, color="0.35", **beside)


def _draw_loss(axes: Axes, part: "xr.Dataset", m: int, density: float) -> None:
  """Draws losses under dropout as shares of those of a model without output."""
  q, numbers = part["dropout"].values, part["n"].values.tolist()
  for n, colour in zip(numbers, _colours(numbers), strict=True):
    whole = n * density / 3
    own = part["noisy_loss"].sel(n=n).transpose("dropout", "restart").values / whole
    axes.plot(q, own, "o", color=colour, markersize=2.5, alpha=0.4)
    axes.plot(q, part["minimum_loss"].sel(n=n).values / whole, color=colour, linewidth=1.2)
  line = np.linspace(0, q[-1], 50)
  aligned = [theory.aligned_loss(1, density, one) * 3 / density for one in line.tolist()]
  bound = [theory.bound(1, m, density, one) * 3 / density for one in line.tolist()]
  axes.plot(line, aligned, color=GREY, linewidth=1, linestyle="--", label="a unit for each")
  axes.plot(line, bound, color=GREY, linewidth=1, linestyle=":", label="bound: undisturbed")
