"""Losses and dimensionalities over the number of examples, and points of both in the plane."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments.memorization.analysis import DECAY, EXAMPLES
from toy_superposition.experiments.memorization.claims import SMALL_DECAY

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} {what}; lines: their mean; planes: the first of them"
TEST, TRAIN, DECAYED = "#d62728", "#1f77b4", "#9467bd"
POINTS, COLUMNS = "#1f77b4", "#ff7f0e"
N_PLANES = 4


def draw_losses(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws test and training losses of both decays."""
  usual = np.isclose(dataset[DECAY].values, SMALL_DECAY)
  for chosen, variable, colour, label in (
    (usual, "loss", TEST, f"test, decay {SMALL_DECAY:g}"),
    (usual, "train_loss", TRAIN, f"training, decay {SMALL_DECAY:g}"),
    (~usual, "loss", DECAYED, "test, decay 1"),
  ):
    part = dataset.isel(case=chosen).sortby(EXAMPLES)
    if not part.sizes["case"]:
      continue
    x, y = part[EXAMPLES].values, part[variable].transpose("case", "restart").values
    y = np.maximum(y, 1e-4)
    axes.plot(x, y, "o", color=colour, markersize=2.5, alpha=0.45)
    axes.plot(x, y.mean(axis=1), color=colour, linewidth=1.2, label=label)
  axes.axhline(1, color="0.5", linewidth=0.8, linestyle="--")
  axes.text(axes.get_xlim()[0] * 1.1, 0.7, "zero model", color="0.4", fontsize="small")
  axes.set(xscale="log", yscale="log", xlabel="examples $T$", ylabel="loss")
  axes.set(ylim=(2e-3, None), title="losses; bound in training: 0")
  axes.legend(fontsize="small", loc="lower right")


def draw_dimensionalities(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws the dimensionalities of examples and of features of all models with the usual decay."""
  usual = dataset.isel(case=np.isclose(dataset[DECAY].values, SMALL_DECAY)).sortby(EXAMPLES)
  x = usual[EXAMPLES].values
  m, n = dataset.sizes["hidden"], dataset.sizes["feature"]
  for variable, own, colour, shift, label in (
    ("example_dimensionality", "example", POINTS, 0.92, "examples"),
    ("feature_dimensionality", "feature", COLUMNS, 1.08, "features"),
  ):
    values = usual[variable].transpose("case", "restart", own).values.reshape(len(x), -1)
    quantiles = np.nanquantile(values, [0.05, 0.5, 0.95, 1], axis=1)
    axes.vlines(x * shift, quantiles[0], quantiles[2], color=colour, linewidth=3, alpha=0.5)
    axes.plot(x * shift, quantiles[1], "_", color=colour, markersize=8, label=f"{label}: 5–95 %")
    axes.plot(x * shift, quantiles[3], ".", color=colour, markersize=3)
  line = np.geomspace(x[0], x[-1])
  axes.plot(line, m / line, color="0.4", linewidth=0.9, label="$m/T$")
  axes.axhline(m / n, color="0.4", linewidth=0.9, linestyle=":", label="$m/n$")
  axes.set(xscale="log", yscale="log", ylim=(m / n / 30, 2), xlabel="examples $T$")
  axes.set(ylabel="dimensionality $D$", title="dimensionalities; dots: largest")
  axes.legend(fontsize="x-small", loc="upper right")


def draw_plane(axes: Axes, model: "xr.Dataset", kind: str) -> None:
  """Draws the hidden vectors of examples, or the columns of features, of one model."""
  if kind == "examples":
    points, colour = model["example_hidden"].transpose("hidden", "example").values, POINTS
    points = points[:, np.isfinite(points[0])]
  else:
    points, colour = model["W"].transpose("hidden", "feature").values, COLUMNS
  lines = np.stack([0 * points, points], axis=1)
  axes.plot(*lines, color=colour, linewidth=0.5, alpha=0.5)
  axes.plot(*points, ".", color=colour, markersize=3)
  limit = 1.1 * np.abs(points).max() or 1
  axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=[], yticks=[])
  if kind == "examples":
    axes.set_title(f"$T$ = {int(model[EXAMPLES])}")


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: losses and dimensionalities above planes of examples and features."""
  usual = dataset.isel(case=np.isclose(dataset[DECAY].values, SMALL_DECAY)).sortby(EXAMPLES)
  n = usual.sizes["case"]
  shown = np.unique(np.linspace(min(1, n - 1), n - 1, N_PLANES).round().astype(int))
  with style.style():
    figure = style.figure(12.2, 4.0)
    grid = figure.add_gridspec(2, 2 + len(shown), width_ratios=(2.4, 2.4, *[1.15] * len(shown)))
    draw_losses(figure.add_subplot(grid[:, 0]), dataset)
    draw_dimensionalities(figure.add_subplot(grid[:, 1]), dataset)
    for column, case in enumerate(shown):
      model = usual.isel(case=int(case), restart=0)
      for row, kind in enumerate(("examples", "features")):
        axes = figure.add_subplot(grid[row, 2 + column])
        draw_plane(axes, model, kind)
        if not column:
          axes.set_ylabel(f"{kind}" + (" $W x$" if not row else " $W_i$"))
    features = dataset.sizes["feature"]
    figure.suptitle(f"{features} features in two dimensions, trained on $T$ examples of norm 1")
  return figure
