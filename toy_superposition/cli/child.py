"""A command in a process of its own, which hears of a signal once and then saves its state.

Supervised by hand: subprocess.run kills its child at an interrupt.
"""

import contextlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from toy_superposition import interrupts
from toy_superposition.records import remote


class Child:
  """A running command, whose output goes to a file."""

  def __init__(self, command: Sequence[str], log: Path):
    """Starts the command.

    It is in a session of its own and hears of Ctrl-C from here, through a pipe, which the kernel
    closes if this process is killed.
    """
    self._log, self._told = log, False
    reading, writing = os.pipe()
    self._pipe = open(writing, "wb", buffering=0)  # noqa: SIM115, closed when the command ends
    with open(log, "w") as output:
      self._process = subprocess.Popen(
        command,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=[reading],
        env=os.environ | {interrupts.PARENT: str(reading)},
      )
    os.close(reading)

  def tell(self, number: int) -> None:
    """Passes a signal on, the first one only."""
    if not self._told:
      self._told = True
      with contextlib.suppress(BrokenPipeError):  # it has just ended
        self._pipe.write(bytes([number]))

  def wait(self, seconds: float) -> bool:
    """Waits for the command's end, but no longer than that; returns whether it has ended."""
    with contextlib.suppress(subprocess.TimeoutExpired):
      self._process.wait(timeout=seconds)
    if self._process.returncode is None:
      return False
    self._pipe.close()
    return True

  def problem(self) -> str:
    """Returns the last line of the output of a command that failed, "" of another."""
    if self._process.returncode == 0:
      return ""
    lines = self._log.read_text().strip().splitlines() or [f"exit code {self._process.returncode}"]
    return f"{lines[-1]} ({remote.shown(self._log)})"
