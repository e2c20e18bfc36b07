"""Loss of equal features over m/n: blocks, mean field and training, a panel for each density."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments.restarts import with_restarts
from toy_superposition.records import schema
from toy_superposition.theory import division, mean_field

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} {what}"
COLOURS = {"blocks": "#1f77b4", "mean field": "#2ca02c", "trained": "#d62728"}
N_POINTS = 24  # of the line of the mean field


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: losses in variances of a feature, and sums of dimensionalities."""
  dataset = with_restarts(dataset).sortby("density", ascending=False).sortby("m")
  densities = dataset["density"].values.tolist()
  n = schema.config(dataset)["model.n_features"]
  with style.style():
    figure = style.figure(2.7 * (len(densities) + 1), 3.4)
    panels = np.ravel(figure.subplots(1, len(densities) + 1, squeeze=False))
    for axes, p in zip(panels[:-1], densities, strict=True):
      _draw_losses(axes, dataset.sel(density=p), p, n)
    panels[0].set_ylabel("loss per feature / variance of a feature")
    panels[0].legend(fontsize="small", loc="lower left")
    _draw_sums(panels[-1], dataset)
    figure.suptitle(f"{n} equally important features: theory and training")
  return figure


def _draw_losses(axes: Axes, dataset: "xr.Dataset", p: float, n: int) -> None:
  unit = float(mean_field.variance(p))
  sizes = dataset["m"].values
  blocks = [division.lowest_loss(p, n_features=n, n_hidden=m) for m in range(1, sizes.max() + 1)]
  x = np.arange(1, sizes.max() + 1) / n
  axes.plot(x, np.array(blocks) / n / unit, color=COLOURS["blocks"], label="best polytopes")
  ratios = np.linspace(1 / n, sizes.max() / n, N_POINTS)
  field = [mean_field.loss_per_feature(float(r), p) / unit for r in ratios]
  axes.plot(ratios, field, color=COLOURS["mean field"], linestyle="--", label="mean field")
  critical = 1 / mean_field.best_load(p)
  if critical < ratios[-1]:
    line = axes.axvline(critical, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
    line.set_label("its critical width")
  losses = dataset["loss"].transpose("m", "restart").values / n / unit
  axes.plot(sizes / n, losses, "o", color=COLOURS["trained"], markersize=3.5, alpha=0.7)
  axes.plot([], [], "o", color=COLOURS["trained"], markersize=3.5, label="trained")
  axes.set(xlabel="m / n", title=f"p = {p:g}", ylim=(0, 1.02), xlim=(0, 1.04 * ratios[-1]))


def _draw_sums(axes: Axes, dataset: "xr.Dataset") -> None:
  over = (dataset["dimensionality_sum"] / dataset["m"]).transpose("m", "density", "restart")
  p = dataset["density"].values
  shades = np.linspace(0.65, 0.0, over.sizes["m"])
  for k, m in enumerate(dataset["m"].values.tolist()):
    colour = str(shades[k])
    axes.plot(p, over.values[k].mean(axis=-1), color=colour, linewidth=1, label=f"m = {m}")
    axes.plot(p, over.values[k], "o", color=colour, markersize=3, alpha=0.6)
  axes.axhline(1, color="0.5", linewidth=0.8, linestyle="--")
  lowest = float(over.min())
  axes.set(xscale="log", xlabel="density p", title="$\\Sigma D_i$ / m (at most 1)")
  axes.set_ylim(lowest - 0.3 * (1 - lowest) - 1e-4, 1 + 0.1 * (1 - lowest) + 1e-4)
  axes.set_xticks(p, [f"{x:g}" for x in p])
  axes.minorticks_off()
  axes.legend(fontsize="small", loc="lower right")
