"""An entry point in a process of its own, which hears of a signal once and then saves its state.

The processes are forks of one that has made the imports, several seconds for each otherwise, and
has touched no device.
"""

import contextlib
import multiprocessing
import os
import runpy
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from multiprocessing import resource_tracker, util
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path

from toy_superposition import interrupts
from toy_superposition.records import remote

# Imported once for all: what every experiment imports sooner or later.
IMPORTS = (
  "toy_superposition.runner",
  "toy_superposition.cli.run",
  "toy_superposition.cli.config_flag",
  "toy_superposition.devices.plan",
  "toy_superposition.drawing.style",
  "toy_superposition.report.finish",
  "toy_superposition.report.watching",
  "fontTools.subset",
  "h5netcdf.legacyapi",
  "jinja2",
  "matplotlib.backends.backend_agg",
  "matplotlib.backends.backend_pdf",
  "plotly.offline",
  "tabulate",
  "xarray",
)
LONGEST = 75  # characters of the folder of temporary files: a socket's path there may have 107


def processes() -> ForkServerContext | SpawnContext:
  """Returns what makes processes: by forking where that is safe with what is imported."""
  if sys.platform == "linux" and len(tempfile.gettempdir()) <= LONGEST:
    return multiprocessing.get_context("forkserver")
  return multiprocessing.get_context("spawn")


class Child:
  """A running entry point, whose output goes to a file."""

  def __init__(self, module: str, words: Sequence[str], log: Path):
    """Starts `python -m module words`.

    It is in a session of its own and hears of Ctrl-C from here, through a pipe, which the kernel
    closes if this process is killed.
    """
    self._log, self._told = log, False
    log.write_text("")  # now, since errors would be lost in the other process
    made = processes()
    made.set_forkserver_preload(list(IMPORTS))
    reading, self._pipe = made.Pipe(duplex=False)
    self._process = made.Process(target=_run, args=(module, words, log, reading))
    with _held():
      self._process.start()
    reading.close()

  def tell(self, number: int) -> None:
    """Passes a signal on, the first one only."""
    if not self._told:
      self._told = True
      with contextlib.suppress(BrokenPipeError):  # it has just ended
        os.write(self._pipe.fileno(), bytes([number]))

  def wait(self, seconds: float) -> bool:
    """Waits for the process's end, but no longer than that; returns whether it has ended."""
    self._process.join(seconds)
    if self._process.exitcode is None:
      return False
    self._pipe.close()
    return True

  def problem(self) -> str:
    """Returns the last line of the output of a process that failed, "" of another."""
    if self._process.exitcode == 0:
      return ""
    lines = self._log.read_text().strip().splitlines() or [f"exit code {self._process.exitcode}"]
    return f"{lines[-1]} ({remote.shown(self._log)})"


def tidy() -> None:
  """Removes the socket of the process that forks; for a process that will end without doing so."""
  shutil.rmtree(util.get_temp_dir(), ignore_errors=True)


@contextlib.contextmanager
def _held() -> Iterator[None]:
  """Holds signals back, and for good from the process that forks: it must outlive its children."""
  resource_tracker.ensure_running()  # its start would let signals through
  before = signal.pthread_sigmask(signal.SIG_BLOCK, interrupts.SIGNALS)
  try:
    yield
  finally:
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(module: str, words: Sequence[str], log: Path, parent: Connection) -> None:
  """Runs an entry point in this process, made for it."""
  os.setsid()
  with open(log, "a") as output:
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
  os.environ[interrupts.PARENT] = str(parent.fileno())
  sys.argv = [module, *words]
  signal.pthread_sigmask(signal.SIG_UNBLOCK, interrupts.SIGNALS)
  runpy.run_module(module, run_name="__main__", alter_sys=True)
