"""Which interactive panels a run gets: those whose data it has.

A panel is a row here, which makes its data, and a row in page.js, which names the function that
draws them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from toy_superposition.report import maps, models
from toy_superposition.report.packing import shares

if TYPE_CHECKING:
  import xarray as xr

ROOM = 3e6  # bytes of all panels of a page together


class Panel(NamedTuple):
  """A row of the PANELS table."""

  title: str
  hint: str  # what the reader can do, in a sentence
  applies: Callable[["xr.Dataset"], bool]
  size: Callable[["xr.Dataset"], float]  # bytes of the data where nothing is left out
  data: Callable[["xr.Dataset", float], dict[str, Any]]  # in about so many bytes


class Made(NamedTuple):
  """The panel of one dataset."""

  kind: str  # row of PANELS
  group: str  # netCDF group, "" where there is only one
  data: dict[str, Any]
  problem: str = ""  # why there are no data, if there are none


PANELS: dict[str, Panel] = {
  "phases": Panel(
    "Phase diagram",
    "What becomes of the extra feature: grey, it is not represented; blue, it has a dimension to "
    "itself; red, it is in superposition. Choose a map; point at a cell, or move the two sliders, "
    "to see its solution.",
    maps.is_phase_diagram,
    maps.phases_bytes,
    maps.phases,
  ),
  "dimensionality": Panel(
    "Dimensionality over density",
    "Choose a density, by its slider or by a click on the plot, to show its graph below.",
    lambda dataset: models.is_trained(dataset) and maps.is_uniform(dataset),
    maps.dimensionality_bytes,
    maps.dimensionality,
  ),
  "explorer": Panel(
    "Feature geometry",
    "Move the sliders to walk through the trained models; point at a feature to see its numbers.",
    models.has_geometry,
    lambda dataset: models.count(dataset) * models.bytes_each(dataset),
    models.geometry,
  ),
  "dynamics": Panel(
    "Learning dynamics",
    "Move the slider of the training step to let the weights run along the loss curve.",
    lambda dataset: models.is_trained(dataset) and "history_W" in dataset,
    lambda dataset: models.count(dataset, "history_W") * models.bytes_each(dataset),
    lambda dataset, room: models.geometry(models.history(dataset), room),
  ),
  "neurons": Panel(
    "Neurons",
    "Each bar is a hidden neuron, stacked by the weights of its features. Choose a neuron, or a "
    "motif where one is found, to see its circuit.",
    lambda dataset: (
      models.is_trained(dataset) and ("W1" in dataset or dataset.attrs["model"] == "relu_hidden")
    ),
    lambda dataset: (
      models.count(dataset, "W1" if "W1" in dataset else "W") * models.bytes_each(dataset, "W1")
    ),
    models.neurons,
  ),
}


def make(runs: Sequence[Mapping[str, "xr.Dataset"]], room: float = ROOM) -> list[list[Made]]:
  """Returns the panels of every run, all of them together in about `room` bytes.

  Args:
    runs: netCDF group → dataset of each.
    room: bytes; who needs little gets it, the rest is shared alike.
  """
  rows = [
    (k, kind, group, dataset)
    for k, datasets in enumerate(runs)
    for group, dataset in datasets.items()
    for kind, panel in PANELS.items()
    if panel.applies(dataset)
  ]
  sizes = [PANELS[kind].size(dataset) for _, kind, _, dataset in rows]
  made: list[list[Made]] = [[] for _ in runs]
  for (k, kind, group, dataset), given in zip(rows, shares(sizes, room), strict=True):
    name = group.strip("/")
    if (n := dataset.sizes["feature"]) > models.MOST_FEATURES:
      problem = f"{n} features; up to {models.MOST_FEATURES} are, the rest is in results.nc"
      made[k].append(Made(kind, name, {}, problem))
      continue
    try:
      made[k].append(Made(kind, name, PANELS[kind].data(dataset, given)))
    except Exception as error:  # a panel's own mistake must not hide what was found
      made[k].append(Made(kind, name, {}, f"{type(error).__name__}: {error}"))
  return made
