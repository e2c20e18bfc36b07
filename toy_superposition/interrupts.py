"""Ctrl-C and SIGTERM as a question that the training loop asks at its borders."""

import contextlib
import signal
from collections.abc import Callable, Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
  """A signal was received and the run's state was saved."""

  def __init__(self, number: int):
    """`number` is the signal's."""
    super().__init__(signal.Signals(number).name)
    self.exit_code = 128 + number


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], int | None]]:
  """Gives a function that returns the first signal received, or None.

  Within the block a signal only asks to stop; the second one acts at once, as usual.
  """
  received: list[int] = []
  previous = {number: signal.getsignal(number) for number in SIGNALS}

  def restore() -> None:
    for number, handler in previous.items():
      signal.signal(number, handler)

  def handle(number: int, frame: object) -> None:
    del frame
    received.append(number)
    restore()

  for number in SIGNALS:
    signal.signal(number, handle)
  try:
    yield lambda: received[0] if received else None
  finally:
    restore()
