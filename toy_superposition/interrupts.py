"""Ctrl-C, SIGTERM and SIGHUP: handled at the next pause while training, at once otherwise.

A signal is noted as well as raised: Python drops what a handler raises while a destructor or a
callback of the garbage collector runs. The note remains, and every stage asks for it. A process of
an entry point ends in any case: every file is written whole or not at all, so any moment will do.
"""

import contextlib
import dataclasses
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # which stop a run
PATIENCE = 10.0  # seconds after which a process ends that has not stopped by itself
PARENT = "TOY_SUPERPOSITION_PARENT"  # variable: the end of a pipe from the parent


class Interrupted(BaseException):
  """A signal ended the run; saved files are complete and the run can be continued.

  Like KeyboardInterrupt it is no Exception, so that handlers of errors do not swallow it.
  """

  def __init__(self, number: int):
    """Takes the signal's number."""
    super().__init__(_line(number))
    self.number, self.exit_code = number, 128 + number


@dataclasses.dataclass
class _Block:
  """What a signal does now."""

  advice: str = ""  # how to go on
  defers: bool = False
  asked: bool = False  # for a signal: from then on there is something to lose


_blocks: list[_Block] = []  # from the outermost to the present one
_received: list[
  int
] = []  # signals, of an entry point since it began, else since the outermost block
_owned = False  # whether this process is an entry point's, which a signal may end
_last_line = threading.Lock()  # taken by whoever writes it, and never released


def take_over() -> None:
  """Lets signals end this process, outside of the blocks below at once and in one line.

  For entry points, before anything else is imported. A child whose parent has set PARENT receives
  its parent's signal, and SIGTERM when the parent is gone.
  """
  global _owned
  _owned = True
  for number in _handled():
    signal.signal(number, _handle)
  # Python's handlers wait for the main thread, which may be deep in XLA; this pipe does not.
  reading, writing = os.pipe()
  os.set_blocking(writing, False)
  signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
  parent = os.environ.pop(PARENT, "")
  watched = [reading, *([int(parent)] if parent.isdecimal() else [])]
  threading.Thread(target=_watch, args=(watched,), name="signals", daemon=True).start()


@contextlib.contextmanager
def raised(advice: str = "") -> Iterator[None]:
  """Raises Interrupted as soon as the block receives a signal, at the latest in `check`.

  `advice` says how to go on.
  """
  with _entered(_Block(advice)):
    yield


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], int | None]]:
  """Yields a function that returns the first signal received within the block, or None.

  The block calls it wherever it can stop. A second signal ends the process, or raises Interrupted
  if it is not an entry point's, at once.
  """
  block = _Block(defers=True)

  def asked() -> int | None:
    block.asked = True
    return _received[0] if _received else None

  with _entered(block):
    yield asked


def check() -> None:
  """Raises Interrupted if a signal was received and its exception vanished; to be called often."""
  if _received and not (_blocks and _blocks[-1].defers):
    raise Interrupted(_received[0])


def end(stopped: Interrupted) -> None:
  """Ends this process in one line, if it is an entry point's: its threads may never end."""
  if _owned:
    with contextlib.suppress(Exception):
      sys.stdout.flush()
    _end(stopped.number, str(stopped))


def _end(number: int, line: str) -> NoReturn:
  """Ends this process, whatever its threads are doing."""
  if _last_line.acquire(blocking=False):
    with contextlib.suppress(OSError):
      os.write(2, f"{line}\n".encode())
    os._exit(128 + number)
  while True:  # another thread is ending it
    time.sleep(1)


def _line(number: int) -> str:
  """Returns what is said of a signal."""
  if not _blocks and number == signal.SIGINT:
    return "interrupted"
  advice = next((block.advice for block in reversed(_blocks) if block.advice), "")
  return f"{signal.Signals(number).name}: stopped" + (f"; {advice}" if advice else "")


def _handled() -> list[signal.Signals]:
  """Returns the signals that stop this run. SIGHUP is ignored from the start under nohup."""
  ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
  return [number for number in SIGNALS if number != signal.SIGHUP or not ignored]


@contextlib.contextmanager
def _entered(block: _Block) -> Iterator[None]:
  """Lets signals do what a block says, and afterwards what they did before."""
  if threading.current_thread() is not threading.main_thread():
    yield  # only the main thread may set handlers
    return
  previous = {number: signal.getsignal(number) for number in _handled()}
  _blocks.append(block)
  try:
    for number in previous:
      signal.signal(number, _handle)
    yield
  finally:
    _blocks.pop()
    for number, handler in previous.items():
      signal.signal(number, handler)
    if not _blocks and not _owned:
      _received.clear()


def _handle(number: int, frame: FrameType | None) -> None:
  """Handles a signal in the main thread."""
  _received.append(number)
  again = len(_received) > 1
  if _owned and (again or not _blocks):
    _end(_received[0], _line(_received[0]))
  if again or not (_blocks and _blocks[-1].defers):
    raise Interrupted(number)


def _watch(files: list[int]) -> None:
  """Ends the process if the main thread does not: it may be deep in XLA, or have lost the signal.

  Args:
    files: the pipe that signals' numbers arrive in; and perhaps one that a parent writes the
      number of its signal to, and whose end means SIGTERM.
  """
  first, since = 0, 0.0
  while True:
    ready, _, _ = select.select(files, [], [], 0.1 if first else None)
    if files[-1] in ready and len(files) > 1:
      number = ord(os.read(files.pop(), 1) or bytes([signal.SIGTERM]))
      if not _received:  # otherwise it was sent to both
        signal.pthread_kill(threading.main_thread().ident or 0, number)
      continue
    if files[0] in ready:
      numbers = [number for number in os.read(files[0], 64) if number in _handled()]
      if len(numbers) > (0 if first else 1) or (numbers and not _blocks):
        _end(first or numbers[0], _line(first or numbers[0]))
      if numbers:
        first, since = numbers[0], time.monotonic()
    if _blocks and _blocks[-1].defers and _blocks[-1].asked:
      since = time.monotonic()  # it stops by itself, and has something to save
    if first and time.monotonic() - since > PATIENCE:
      _end(first, _line(first))
