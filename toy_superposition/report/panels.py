"""The interactive panels that a run gets: those whose data it has.

A panel is a row of PANELS, which makes its data, and a row of the table in page.js, which names the
function that draws them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from toy_superposition.repetitions import as_restarts
from toy_superposition.report import (
  dimensionality,
  explanations,
  explorer,
  latents,
  neurons,
  phases,
  scores,
)
from toy_superposition.report.packing import shares
from toy_superposition.report.selection import MOST_FEATURES

if TYPE_CHECKING:
  import xarray as xr

ROOM = 3e6  # bytes of all panels of a page together, before they are compressed
ROOM_OF_ONE = 6.5e5  # bytes of those of a page of one run, which stays below 3 MB


class Row(NamedTuple):
  """A row of the PANELS table."""

  title: str
  hint: str  # how to use the panel, in one or two sentences
  applies: Callable[["xr.Dataset"], bool]
  size: Callable[["xr.Dataset"], float]  # bytes of the data if nothing is left out
  # (results, bytes) → data of about that size
  data: Callable[["xr.Dataset", float], dict[str, Any]]


class Panel(NamedTuple):
  """The panel of one dataset."""

  kind: str  # row of PANELS
  group: str  # netCDF group, "" if there is only one
  data: dict[str, Any]
  error: str = ""  # why the panel could not be drawn, "" if it could

  @property
  def title(self) -> str:
    """What the panel shows, and of which group."""
    return PANELS[self.kind].title + (f": {self.group}" if self.group else "")

  @property
  def hint(self) -> str:
    """How to use the panel, and what was left out of it."""
    notes = self.data.get("notes")
    thinned = f" To keep this file small, it shows {', '.join(notes)}." if notes else ""
    return PANELS[self.kind].hint + thinned

  @property
  def paragraphs(self) -> Sequence[explanations.Explanation]:
    """What a reader who does not know the paper needs to read it."""
    return explanations.of_panel(self.kind, self.data)


PANELS: dict[str, Row] = {
  "phases": Row(
    "Phase diagram",
    "Choose a map. To see the solution in a cell, point at it or move the two sliders.",
    phases.applies,
    phases.size,
    phases.data,
  ),
  "dimensionality": Row(
    "Dimensionality over density",
    "Choose a density with the slider or by clicking on the plot. The panel below shows its "
    "models.",
    dimensionality.applies,
    dimensionality.size,
    dimensionality.data,
  ),
  "explorer": Row(
    "Feature geometry",
    "Choose a trained model with the sliders. Point at a feature to see its numbers.",
    explorer.applies,
    explorer.size,
    explorer.data,
  ),
  "dynamics": Row(
    "Learning dynamics",
    "Move the slider of the training step to see the weights change along the loss curve.",
    explorer.has_history,
    explorer.history_size,
    explorer.history_data,
  ),
  "neurons": Row(
    "Neurons",
    "Each bar is a hidden neuron: the weights of its features, stacked. Choose a neuron, or a "
    "motif if one was found, to see its circuit.",
    neurons.applies,
    neurons.size,
    neurons.data,
  ),
  "scores": Row(
    "Scores of sparse autoencoders",
    "Choose what the scores are drawn over, and the other axes with the sliders. Click on a point "
    "to choose it.",
    scores.applies,
    scores.size,
    scores.data,
  ),
  "latents": Row(
    "Latents and true features",
    "Choose a sparse autoencoder with the sliders. Point at a cell or a dot to see its numbers.",
    latents.applies,
    latents.size,
    latents.data,
  ),
}


def make(
  runs: Sequence[Mapping[str, "xr.Dataset"]], room: float | None = None
) -> list[list[Panel]]:
  """Returns the panels of every run, all of them together in about `room` bytes.

  Args:
    runs: netCDF group → dataset, for each run.
    room: bytes; panels that need little get it all, the others equal shares of the rest. By
      default ROOM, or ROOM_OF_ONE for one run.
  """
  if room is None:
    room = ROOM if len(runs) > 1 else ROOM_OF_ONE
  planned = [
    (k, kind, group, dataset)
    for k, datasets in enumerate(runs)
    for group, dataset in ((name, as_restarts(one)) for name, one in datasets.items())
    for kind, row in PANELS.items()
    if row.applies(dataset)
  ]
  sizes = [PANELS[kind].size(dataset) for _, kind, _, dataset in planned]
  panels: list[list[Panel]] = [[] for _ in runs]
  for (k, kind, group, dataset), share in zip(planned, shares(sizes, room), strict=True):
    panels[k].append(_panel(kind, group.strip("/"), dataset, share))
  return panels


def _panel(kind: str, group: str, dataset: "xr.Dataset", room: float) -> Panel:
  """Returns a panel with its data or, if they cannot be made, with the reason."""
  if (n := dataset.sizes["feature"]) > MOST_FEATURES:
    return Panel(
      kind, group, {}, f"{n} features, and a panel has at most {MOST_FEATURES}; see results.nc"
    )
  try:
    return Panel(kind, group, PANELS[kind].data(dataset, room))
  except Exception as error:  # a bug in one panel must not hide the claims and the other panels
    return Panel(kind, group, {}, f"{type(error).__name__}: {error}")
