"""Ctrl-C and SIGTERM: handled at the next segment end while training, at once otherwise."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
  """A signal ended the run; saved files are complete and the run can be continued.

  Like KeyboardInterrupt it is no Exception, so that handlers of errors do not swallow it.
  """

  def __init__(self, number: int, *, agreed: bool = False):
    """Takes the signal's number, and whether all of several processes stop together."""
    super().__init__(signal.Signals(number).name)
    self.number, self.exit_code, self.agreed = number, 128 + number, agreed


@contextlib.contextmanager
def _handling(handle: Callable[[int], None]) -> Iterator[None]:
  """Calls `handle` with the number of every signal received within the block."""
  if threading.current_thread() is not threading.main_thread():
    yield  # only the main thread may set handlers
    return
  previous = {number: signal.getsignal(number) for number in SIGNALS}
  for number in SIGNALS:
    signal.signal(number, lambda received, frame: handle(received))
  try:
    yield
  finally:
    for number, handler in previous.items():
      signal.signal(number, handler)


@contextlib.contextmanager
def raised() -> Iterator[None]:
  """Raises Interrupted as soon as the block receives a signal."""

  def handle(number: int) -> None:
    raise Interrupted(number)

  with _handling(handle):
    yield


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], int | None]]:
  """Yields a function that returns the first signal received within the block, or None.

  The block calls it wherever it can stop. A second signal raises Interrupted at once.
  """
  received: list[int] = []

  def handle(number: int) -> None:
    received.append(number)
    if len(received) > 1:
      raise Interrupted(number)

  with _handling(handle):
    yield lambda: received[0] if received else None
