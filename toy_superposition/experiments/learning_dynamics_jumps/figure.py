"""Feature dimensionalities and loss during one training, with its jumps marked."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments.learning_dynamics_jumps import analysis

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "grey: the losses of all {n} {what}"
LEVELS = {"1/2": 1 / 2, "2/3": 2 / 3, "3/4": 3 / 4, "1": 1.0}
MOVER_MAP = "tab10"
SHOWN_FROM = 0.05  # share of training after which the loss fits into the axis


def chosen(dataset: "xr.Dataset") -> tuple["xr.Dataset", list[analysis.Event]]:
  """Returns the training that is drawn, and its jumps.

  Trainings with a jump come first, and so do those in which all features end as digons, as in the
  paper; among equals, the latest jump decides.
  """

  def rank(pair: tuple["xr.Dataset", list[analysis.Event]]) -> tuple[float, int]:
    model, events = pair
    digons = np.abs(analysis.final_dimensionalities(model) - 0.5) < analysis.ON_A_LEVEL
    return float(bool(events)) + float(digons.all()), events[-1].after if events else 0

  pairs = [(model, analysis.events_of(model)) for model in analysis.trainings(dataset)]
  return max(pairs, key=rank)


def draw_dimensionalities(axes: Axes, model: "xr.Dataset", events: list[analysis.Event]) -> Axes:
  """Draws D_i of every feature; features that jump after most have settled are in colour."""
  step = model["step"].values
  curves = model["history_dimensionality"].transpose("step", "feature").values
  movers = sorted({int(i) for event in events for i in event.movers})
  for name, level in LEVELS.items():
    axes.axhline(level, color="0.85", linewidth=0.8, zorder=0)
    axes.text(
      1.005, level, name, transform=axes.get_yaxis_transform(), va="center", fontsize="small"
    )
  still = [i for i in range(curves.shape[1]) if i not in movers]
  axes.plot(step, curves[:, still], color="0.45", linewidth=0.6, alpha=0.7)
  for k, i in enumerate(movers):
    axes.plot(step, curves[:, i], color=colormaps[MOVER_MAP](k % 10), linewidth=1.4, label=f"{i}")
  if movers:
    axes.legend(
      title="feature", fontsize="small", title_fontsize="small", loc="upper right", ncols=5
    )
  axes.set(ylabel="feature dimensionality $D_i$", ylim=(-0.03, 1.25))
  return axes


def draw_loss(axes: Axes, model: "xr.Dataset", others: "xr.Dataset", reduction: str) -> Axes:
  """Draws the loss over those of the other trainings; the axis ends below the loss of the first
  steps."""
  step, loss = model["step"].values, model["history_loss"].values
  curves = others["history_loss"].transpose("step", ...).values.reshape(len(step), -1)
  axes.plot(step, curves, color="0.85", linewidth=0.7)
  axes.plot(step, loss, color="black", linewidth=1.1)
  top = loss[int(SHOWN_FROM * (len(step) - 1))]
  room = 0.05 * (top - loss.min())
  axes.set(xlabel="step", ylabel=f"loss ({reduction} over features)", ylim=(loss.min() - room, top))
  axes.set_xlim(0, step[-1])
  return axes


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: dimensionalities above, the loss below."""
  model, events = chosen(dataset)
  n, m = model.sizes["feature"], model.sizes["hidden"]
  p = float(model["feature_density"].values.flat[0])
  step = model["step"].values
  with style.style():
    figure = style.figure(8.4, 5.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.6, 1))
    draw_dimensionalities(above, model, events)
    draw_loss(below, model, dataset, dataset["loss"].attrs.get("reduction", "mean"))
    for event in events:
      for axes in (above, below):
        axes.axvspan(step[event.before], step[event.after], color="tab:orange", alpha=0.12, lw=0)
    figure.suptitle(
      f"{n} features in {m} dimensions, p = {p:g}, one training (shaded: jumps after most features "
      "have settled)"
    )
  return figure
