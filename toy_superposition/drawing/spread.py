"""The line below a figure that says which spread over restarts or seeds it shows."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from toy_superposition.drawing import style
from toy_superposition.repetitions import repetitions

if TYPE_CHECKING:
  import xarray as xr

# Of figures that show one model, the best. In these texts {n} is the number of repetitions and
# {what} their name, {excess} how much higher the losses of the others are, {low} and {high} the
# ends of all losses.
BEST = "best of {n} {what} by loss; losses of the others: {excess}"
MEAN = "dots: {n} {what}; lines: their mean"
NONE = ""  # of a figure without repeated trainings
DICTIONARY = (
  "data.dictionary"  # a field that repeats a sparse autoencoder with other random numbers
)
RELATIVE = 10  # times the best loss up to which the others' losses are told in percent


def say(figure: Figure, dataset: "xr.Dataset", text: str) -> None:
  """Writes below a figure what its spread is; nothing of a single training.

  Args:
    figure: without a label for all horizontal axes together, whose place the line takes; a legend
      that is there gets it as its title.
    dataset: that it shows.
    text: one of the above, or another with their fields.
  """
  if line := sentence(dataset, text) if text else "":
    below = [legend for legend in figure.legends if legend.get_gid() == style.BELOW]
    if below:
      below[0].set_title(line, prop=FontProperties(size="small"))
    else:
      figure.supxlabel(line, fontsize="small", wrap=True)


def sentence(dataset: "xr.Dataset", text: str) -> str:
  """Returns the text with its fields filled in, or nothing for a single training."""
  axes = {axis: dataset.sizes[axis] for axis in _axes(dataset)}
  n = int(np.prod(list(axes.values())))
  if n == 1:
    return ""
  losses = _losses(dataset, list(axes))
  filled = {"n": n, "what": _word(dataset, list(axes)), "excess": _excess(losses)}
  ends = (np.nanmin(losses), np.nanmax(losses)) if np.isfinite(losses).any() else (np.nan,) * 2
  return text.format(**filled, low=_short(ends[0]), high=_short(ends[1]))


def _axes(dataset: "xr.Dataset") -> list[str]:
  """Returns the axes along which a training is repeated, with other dictionaries too."""
  over = [str(d) for d in dataset.coords if dataset[d].attrs.get("config_field") == DICTIONARY]
  return [*repetitions(dataset), *(axis for axis in over if axis in dataset.dims)]


def _word(dataset: "xr.Dataset", axes: list[str]) -> str:
  if len(axes) > 1:
    return "trainings"
  field = dataset[axes[0]].attrs.get("config_field") if axes[0] in dataset.coords else ""
  return "dictionaries" if field == DICTIONARY else f"{axes[0]}s"


def _losses(dataset: "xr.Dataset", axes: list[str]) -> np.ndarray:
  """Returns the losses that rank the repetitions, (cell, repetition), nan where not finite."""
  loss = dataset["shortlist_loss"] if "shortlist_loss" in dataset else dataset["loss"]
  finite = np.isfinite(loss) & (dataset["finite"] == 1)
  inner = [axis for axis in axes if axis in loss.dims]
  values = loss.where(finite).transpose(..., *inner).values.astype(float)
  return values.reshape(-1, int(np.prod([dataset.sizes[axis] for axis in inner])))


def _excess(losses: np.ndarray) -> str:
  """Returns how much higher the losses of the others are than the lowest, in words."""
  counted = losses[np.isfinite(losses).sum(axis=1) > 1]
  if not counted.size:
    return "not finite"
  lowest = np.nanmin(counted, axis=1, keepdims=True)
  others = np.sort(counted, axis=1)[:, 1:]  # nan last
  higher = (others - lowest)[np.isfinite(others)]
  if (lowest > 0).all() and np.nanmax(others / lowest) < RELATIVE:
    higher = (100 * (others / lowest - 1))[np.isfinite(others)]
    return f"{_short(np.median(higher))} % higher in the median, at most {_short(higher.max())} %"
  return f"{_short(np.median(higher))} higher in the median, at most {_short(higher.max())}"


def _short(number: float) -> str:
  """Returns a number with two digits, or as an integer."""
  return f"{number:.2g}" if number < 100 else f"{number:.0f}"
