"""A training watched in the run's page, which reloads itself until the report replaces it."""

import contextlib
from collections.abc import Iterator, Sequence

from toy_superposition.live import Live
from toy_superposition.records import files
from toy_superposition.records.workdir import Workdir
from toy_superposition.report import document
from toy_superposition.sweeps import Axis

RELOAD = 2  # seconds between two loads of the page
FINISHING = "Training is finished; theory and figures follow."


@contextlib.contextmanager
def page(workdir: Workdir, name: str, axes: Sequence[Axis]) -> Iterator[Live]:
  """Yields what draws a run's training into its report.html, which the report replaces at the end.

  The page reloads itself, so that the browser in which it was opened shows the report at last. If
  the run ends before, the page says so and stops.

  Args:
    workdir: opened for the run.
    name: of the run.
    axes: of its sweep.

  Raises:
    UserError: while it is used: the disk is full or cannot be written.
  """
  last = "<p>Training begins.</p>"

  def write(picture: str, reload: int = RELOAD, note: str = "") -> None:
    nonlocal last
    last = picture
    text = document.watched(name, picture, reload, note)
    with files.replacing(workdir.report) as temporary:
      temporary.write_text(text, encoding="utf-8")

  write(last)
  try:
    yield Live(write, axes)
  except BaseException:
    write(last, reload=0, note="The run was stopped here; the same command continues it.")
    raise
  write(last, note=FINISHING)
