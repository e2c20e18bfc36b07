"""Says what a run waits for, if that takes long."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)
SECONDS = 60.0  # after which the first line is written; the next ones after twice as long each


@contextlib.contextmanager
def watched(what: str) -> Iterator[Callable[[str], None]]:
  """Logs a line if the block takes long, and again at growing intervals.

  Args:
    what: is done in the block, as the line says it.

  Yields:
    a function that restarts the clock for the next thing done.
  """
  watch = _Watch(what)
  thread = threading.Thread(target=watch.run, name="watchdog", daemon=True)
  thread.start()
  try:
    yield watch.restart
  finally:
    watch.ended.set()
    thread.join()


class _Watch:
  """What is done, and since when."""

  def __init__(self, what: str):
    self.ended = threading.Event()
    self.restart(what)

  def restart(self, what: str) -> None:
    self._stage = (what, time.monotonic())

  def run(self) -> None:
    stage, patience = self._stage, SECONDS
    while True:
      what, started = stage
      left = started + patience - time.monotonic()
      if self.ended.wait(min(left, SECONDS)):
        return
      if self._stage is not stage:
        stage, patience = self._stage, SECONDS
      elif left <= SECONDS:
        log.warning("%s has taken %.0f s so far", what, time.monotonic() - started)
        patience *= 2
