"""Trainings on the levels of the polygons, and the posterior's polygons over its examples."""

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments.kgon_phases import analysis, theory
from toy_superposition.experiments.kgon_phases.theory import NAMES, POLYGONS

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "left: {n} {what}; right: bars are one standard error over chains"
GREY = "0.6"
NAME: dict[str, Any] = {"va": "center", "fontsize": "small"}
CENTRED: dict[str, Any] = NAME | {"ha": "center"}
SHOWN = 0.08  # share of the posterior from which on a kind is drawn


def colour(kind: int) -> tuple[float, ...]:
  """Returns the colour of a kind of polygon: one map for those of four corners or more."""
  return colormaps["turbo"](0.08 + 0.84 * kind / (len(NAMES) - 1))


def draw_losses(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws the exact loss of every training over the levels."""
  step = np.maximum(dataset["step"].values, 0.5)
  losses = dataset["history_exact_loss"].transpose("restart", "step").values
  ends = dataset["history_kind"].transpose("restart", "step").values[:, -1]
  for own, end in zip(losses, ends.tolist(), strict=True):
    shade = colour(end) if end >= 0 else GREY
    axes.plot(step, own, color=shade, linewidth=0.7, alpha=0.6)
  for kind, loss in enumerate(dataset["kind_loss"].values):
    axes.axhline(loss, color=colour(kind), linewidth=0.7, linestyle=":", zorder=0)
  axes.set(xscale="log", yscale="log", ylim=(0.042, 0.6), ylabel="exact loss $H$", xlabel="step")
  axes.set_yticks([0.05, 0.1, 0.2, 0.5], ["0.05", "0.1", "0.2", "0.5"])
  axes.minorticks_off()
  axes.set_title("trainings, coloured by where they end")


def draw_polygons(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws the minima beside the losses' axis, each with its name and learning coefficient."""
  models = dataset["kind_model"].transpose("kind", "number").values[: len(POLYGONS)]
  axes.set(xlim=(-1.4, 8), ylim=(-len(POLYGONS) * 3 + 1.4, 1.6), aspect="equal")
  axes.axis("off")
  for kind, (level, model) in enumerate(zip(POLYGONS, models, strict=True)):
    W, down = model[: theory.N_WEIGHTS].reshape(theory.N_HIDDEN, -1), -3 * kind
    corners = W[:, : level.corners]
    axes.fill(corners[0], corners[1] + down, fill=False, edgecolor=colour(kind), linewidth=1)
    axes.plot(corners[0], corners[1] + down, "o", color=colour(kind), markersize=2.5)
    loss = float(dataset["kind_loss"][kind])
    coefficient = float(dataset["kind_coefficient"][kind])
    text = f"{level.name}:  $H$ = {loss:.4f}\n$\\lambda$ = {coefficient:g}"
    axes.text(1.9, down, text, va="center", fontsize="small", color="0.2")
  axes.set_title("minima", loc="left")


def draw_coefficients(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws loss and sampled learning coefficient of all stored models beside the exact minima."""
  losses = dataset["history_exact_loss"].transpose("restart", "step").values
  sampled = dataset["history_coefficient"].transpose("restart", "step").values
  kind = dataset["history_kind"].transpose("restart", "step").values
  shown = sampled >= 0  # below, the model is on a slope
  axes.plot(losses[shown], sampled[shown], ".", color="0.75", markersize=2, zorder=0)
  for own, path, coefficient in zip(kind, losses, sampled, strict=True):
    for stage in analysis.stages(own):
      here = slice(stage.first, stage.last + 1)
      at = np.median(path[here]), np.median(coefficient[here])
      axes.plot(*at, "o", color=colour(stage.kind), markersize=3.5, alpha=0.7)
  for k, level in enumerate(POLYGONS):
    chains = dataset["sampled_coefficient"].isel(kind=k).values
    x, exact = float(dataset["kind_loss"][k]), float(dataset["kind_coefficient"][k])
    axes.plot(x, exact, "_", color="black", markersize=12, markeredgewidth=1.2)
    around = chains.mean(), chains.std(ddof=1)
    axes.errorbar(x + 0.0012, *around, fmt="x", color="black", markersize=3, linewidth=0.8)
    axes.text(x - 0.0018, exact, level.name, ha="right", color=colour(k), **NAME)
  axes.plot([], [], "_", color="black", markersize=10, label="exact: half the positive eigenvalues")
  axes.errorbar([], [], [], fmt="x", color="black", markersize=4, label="chains at the minimum")
  axes.plot([], [], "o", color="0.3", markersize=3.5, label="stages of trainings")
  axes.plot([], [], ".", color="0.7", label="other stored steps")
  axes.set(xlim=(0.044, 0.12), ylim=(0, 12.5))
  axes.set(xlabel="exact loss $H$", ylabel=r"learning coefficient $\lambda$")
  axes.legend(fontsize="x-small", loc="lower right")
  axes.set_title("learning coefficients")


def draw_occupancy(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws the share of each kind in the posterior, over the number of examples."""
  examples = dataset["examples"].values
  occupancy = dataset["occupancy"].transpose("kind", "chain", "examples").values
  for kind, own in enumerate(occupancy):
    if own.mean(axis=0).max() < SHOWN:
      continue
    error = own.std(axis=0, ddof=1) / np.sqrt(len(own))
    axes.errorbar(examples, own.mean(axis=0), error, color=colour(kind), linewidth=1)
    mean = own.mean(axis=0)
    top = int(mean.argmax())
    if top < len(examples) / 4:  # falls from the beginning: its name is beside the line
      axes.text(examples[0] * 0.93, mean[0], NAMES[kind], color=colour(kind), ha="right", **NAME)
    else:
      axes.text(examples[top], mean[top] + 0.05, NAMES[kind], color=colour(kind), **CENTRED)
  axes.set(ylim=(0, 1.1), xscale="log", ylabel="share of the posterior")
  axes.set_title("minima below samples of the posterior")


def draw_share(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws the share of hexagons among hexagons and pentagons with both theories."""
  examples = dataset["examples"].values
  share = analysis.shares(dataset)
  error = np.nanstd(share, axis=0, ddof=1) / np.sqrt(np.isfinite(share).sum(axis=0))
  mean = np.nanmean(share, axis=0)
  axes.errorbar(examples, mean, error, fmt="o", color="black", markersize=3, label="sampled")
  theory_line = dataset["hexagon_share"].values
  axes.plot(examples, theory_line, color="#d62728", linewidth=1.2, label="with constants")
  loss, coefficient = dataset["kind_loss"].values, dataset["kind_coefficient"].values
  six, five = NAMES.index("6"), NAMES.index("5")
  at = theory.leading_crossing(loss[five] - loss[six], coefficient[six] - coefficient[five])
  label = r"leading order: $N/\log N = 2\sigma^2\Delta\lambda/\Delta H$"
  axes.axvline(at, color=GREY, linewidth=1, linestyle="--", label=label)
  axes.axhline(0.5, color="0.85", linewidth=0.7, zorder=0)
  axes.set(xscale="log", ylim=(0, 1.1), xlabel="examples $N$", ylabel="6 among 6, 5 and 5+")
  axes.legend(fontsize="x-small", loc="upper left")


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: trainings on the left, the posterior on the right."""
  with style.style():
    figure = style.figure(12.6, 5.6)
    grid = figure.add_gridspec(2, 3, width_ratios=(1.35, 0.75, 1.25))
    draw_losses(figure.add_subplot(grid[0, 0]), dataset)
    draw_coefficients(figure.add_subplot(grid[1, 0]), dataset)
    draw_polygons(figure.add_subplot(grid[:, 1]), dataset)
    upper = figure.add_subplot(grid[0, 2])
    lower = figure.add_subplot(grid[1, 2], sharex=upper)
    draw_occupancy(upper, dataset)
    draw_share(lower, dataset)
    upper.tick_params(labelbottom=False)
    figure.suptitle("Six features in a plane, one active at a time, with values uniform on [0, 1]")
  return figure
