"""One feature's density varied: where the features lie, and the losses of two arrangements."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments import restarts
from toy_superposition.experiments.nonuniform_density import analysis
from toy_superposition.geometry.orientation import oriented

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "points: every fit, of {n} {what}; weights: the best by loss"
RATIO_MAP = "coolwarm"  # blue is sparser than the others, red denser
# Orange pentagons and yellow squares, as in the paper.
COLOURS = {"pentagon": "#e8590c", "two digons": "#dcb60a", "other": "0.7"}
MARKERS = {"pentagon": "p", "two digons": "s", "other": "x"}


def draw_weights(axes: Axes, best: "xr.Dataset", scale: LogNorm) -> Axes:
  """Draws the best fit's features at every ratio, in standard position, feature 0 as a star."""
  axes.axhline(0, color="0.85", linewidth=0.6, zorder=0)
  axes.axvline(0, color="0.85", linewidth=0.6, zorder=0)
  for ratio, W in zip(best[analysis.AXIS].values, best["W"].values, strict=True):
    x, y = oriented(W)
    colour = colormaps[RATIO_MAP](scale(ratio))
    axes.scatter(x[1:], y[1:], s=22, color=colour, edgecolor="0.3", linewidth=0.3)
    axes.scatter(x[:1], y[:1], s=75, color=colour, edgecolor="0.3", linewidth=0.3, marker="*")
  axes.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), xlabel="hidden 0", ylabel="hidden 1")
  axes.set_aspect("equal")
  axes.set_title("weights of the best fit (★: feature 0)")
  return axes


def draw_losses(axes: Axes, dataset: "xr.Dataset") -> Axes:
  """Draws the loss of every fit against the ratio, and the exact losses of both arrangements."""
  loss, kinds = dataset["loss"].values.ravel(), dataset["arrangement"].values.ravel()
  ratio = np.repeat(dataset[analysis.AXIS].values, dataset.sizes.get("restart", 1))
  for number, name in reversed(list(enumerate(analysis.ARRANGEMENTS))):
    chosen = kinds == number
    label = f"fits: {name} ({chosen.sum()})"
    axes.scatter(
      *(ratio[chosen], loss[chosen]), s=18, color=COLOURS[name], marker=MARKERS[name], label=label
    )
  for name, short in (("pentagon", "pentagon"), ("two digons", "digons")):
    axes.plot(
      dataset[analysis.AXIS],
      dataset[f"{short}_loss"],
      color=COLOURS[name],
      linewidth=1.2,
      label=f"exact: {name}",
    )
  at, _ = analysis.branch_crossing(dataset)
  axes.axvline(at, color="0.2", linewidth=0.8, linestyle="--", label=f"equal losses: ρ = {at:.3f}")
  axes.axvline(
    analysis.PAPER_RATIO,
    color="0.5",
    linewidth=0.8,
    linestyle=":",
    label="paper: 2.5 times sparser",
  )
  named = loss[kinds != analysis.OTHER]
  top = 1.15 * np.nanmax(named if named.size else loss)
  axes.set(xscale="log", xlabel="relative density ρ of feature 0", ylim=(0, top))
  axes.set(ylabel="expected loss, summed over features", title="loss of every fit")
  axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
  return axes


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: weights on the left, losses on the right."""
  dataset = dataset.sortby(analysis.AXIS).transpose(analysis.AXIS, ...)
  best = restarts.best(dataset)
  ratio = dataset[analysis.AXIS].values
  scale = LogNorm(ratio[0], ratio[-1])
  base = float(best["feature_density"].isel({analysis.AXIS: 0, "feature": 1}))
  with style.style():
    figure = style.figure(11.4, 4.2)
    left, right = figure.subplots(1, 2)
    draw_weights(left, best, scale)
    draw_losses(right, dataset)
    colours = left.scatter([], [], c=[], cmap=RATIO_MAP, norm=scale)
    figure.colorbar(colours, ax=left, label="relative density ρ of feature 0", shrink=0.85)
    n = best.sizes["feature"]
    figure.suptitle(
      f"{n} features in {best.sizes['hidden']} dimensions, p = {base:g}; feature 0: ρp"
    )
  return figure
