"""A training that is watched while it runs: losses and features, drawn again at segment ends."""

import html
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from toy_superposition.drawing import live
from toy_superposition.errors import UserError
from toy_superposition.sweeps import Axis
from toy_superposition.types import Group, Snapshot

MODELS = 6  # drawn, spread over the sweep
CURVES = 40  # losses of so many models are drawn thin
POINTS = 300  # of a curve; after that every second one is dropped
SECONDS = 1.0  # minimum time between two pictures
RESTART = "restart"

# Takes the picture, HTML without its head.
Show = Callable[[str], None]


class Live:
  """Draws the groups of a run as they are trained, one after another."""

  def __init__(self, show: Show, axes: Sequence[Axis], clock: Callable[[], float] = time.monotonic):
    """Draws nothing yet.

    Args:
      show: takes each picture.
      axes: of the sweep.
      clock: seconds.
    """
    self._show, self._axes, self._clock = show, axes, clock
    self._drawn = -float("inf")

  def begin(self, label: str, group: Group) -> None:
    """Begins with a group's training; `label` names it."""
    self._label, self._last = label, group.spec.steps
    self._steps: list[int] = []
    self._losses: list[np.ndarray] = []
    n_instances = len(group.cells)
    self._curves = _evenly(np.arange(n_instances), CURVES)
    names = [axis.name for axis in self._axes]
    first = np.arange(n_instances)
    if RESTART in names:  # restarts look alike: other axes are more worth seeing
      first = np.flatnonzero(group.cells[:, names.index(RESTART)] == 0)
    self._models = {int(k): self._words(group.cells[k]) for k in _evenly(first, MODELS)}

  def update(self, snapshot: Snapshot) -> None:
    """Takes a snapshot, and draws it unless the picture before was drawn just now."""
    self._steps.append(snapshot.step)
    self._losses.append(np.asarray(snapshot.losses)[self._curves])
    if len(self._steps) > POINTS:
      self._steps, self._losses = self._steps[::2], self._losses[::2]
    now = self._clock()
    if now - self._drawn < SECONDS and snapshot.step < self._last:
      return
    self._drawn = now
    self._show(self._picture(snapshot))

  def _picture(self, snapshot: Snapshot) -> str:
    """Returns the picture of a snapshot."""
    finite = snapshot.losses[snapshot.finite]
    loss = f"median loss {np.median(finite):.4g}" if len(finite) else "no finite loss"
    directions = getattr(snapshot.state.params, "directions", None)  # not of every model
    models = []
    if directions is not None:
      weights = np.asarray(directions)
      models = [live.model(weights[k], words) for k, words in self._models.items()]
    return (
      f"<h2>{html.escape(self._label)}: step {snapshot.step} of {self._last}, {loss}</h2>"
      f"{live.curves(self._steps, np.array(self._losses), self._last)}"
      f'<div class="models">{"".join(models)}</div>'
    )

  def _words(self, cell: np.ndarray) -> str:
    """Returns where a model is in the sweep."""
    words = []
    for axis, k in zip(self._axes, cell, strict=True):
      point = axis.points[k]
      words.append(f"{axis.name} {f'{point:.3g}' if isinstance(point, float) else point}")
    return ", ".join(words)


def in_notebook(axes: Sequence[Axis]) -> Live:
  """Returns what draws a training into the output of a notebook's cell, one picture at a time.

  Raises:
    UserError: IPython is not installed, or this is not a notebook.
  """
  display: Any
  try:
    from IPython import get_ipython
    from IPython.display import HTML, display
  except ImportError:
    get_ipython = None
  if get_ipython is None or get_ipython() is None:
    raise UserError("watch=True draws into a notebook's cell; for a script: main with --watch")
  handle = display(HTML("<p>Training begins.</p>"), display_id=True)

  def show(picture: str) -> None:
    handle.update(HTML(live.page_part(picture)))

  return Live(show, axes)


def _evenly(numbers: np.ndarray, most: int) -> np.ndarray:
  """Returns at most `most` of the numbers, evenly spread and including both ends."""
  return numbers[np.unique(np.linspace(0, len(numbers) - 1, min(most, len(numbers))).astype(int))]
