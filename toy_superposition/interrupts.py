"""Ctrl-C and SIGTERM: at once in general, at the next border while training."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
  """A signal ended the run; what was saved is whole and the run can be continued.

  No Exception, as KeyboardInterrupt is none: whoever handles errors is not to swallow it.
  """

  def __init__(self, number: int, *, agreed: bool = False):
    """`number` is the signal's; `agreed` says that all of several processes stop with this one."""
    super().__init__(signal.Signals(number).name)
    self.number, self.exit_code, self.agreed = number, 128 + number, agreed


@contextlib.contextmanager
def _handling(handle: Callable[[int], None]) -> Iterator[None]:
  """Calls `handle` with the number of each signal received within the block."""
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
  """Raises Interrupted wherever the block is when a signal comes."""

  def handle(number: int) -> None:
    raise Interrupted(number)

  with _handling(handle):
    yield


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], int | None]]:
  """Gives a function that returns the first signal received within the block, or None.

  The block is to ask it where it can stop; a second signal raises Interrupted at once.
  """
  received: list[int] = []

  def handle(number: int) -> None:
    received.append(number)
    if len(received) > 1:
      raise Interrupted(number)

  with _handling(handle):
    yield lambda: received[0] if received else None
