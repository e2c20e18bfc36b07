"""What the training of one group leaves on disk, or in memory.

Of several processes, which see one folder, all take part in checkpoints (Orbax lets the first one
write), and the first one alone does the rest.
"""

import math
from pathlib import Path

from toy_superposition.records import history
from toy_superposition.records.checkpoints import Checkpoints
from toy_superposition.records.metrics import Metrics, summary
from toy_superposition.records.workdir import Workdir
from toy_superposition.types import Params, Snapshot, TrainState


class Ledger:
  """Checkpoints, kept parameters and metrics of one group."""

  def __init__(self, workdir: Workdir, group: int, metrics: Metrics | None):
    """Nothing is made before `latest`.

    Args:
      workdir: of the run.
      group: its number.
      metrics: of the run; None where another process writes.
    """
    self._group, self._metrics = group, metrics
    self._history: Path = workdir.history(group)
    self._folder: Path = workdir.checkpoints(group)
    self._checkpoints: Checkpoints | None = None

  def latest(self, like: TrainState) -> tuple[int, TrainState] | None:
    """Returns the newest readable step and state, None if there is none.

    Args:
      like: a state with the names, shapes and types to be found, such as from jax.eval_shape.

    Raises:
      UserError: the folder cannot be made or read.
    """
    self._checkpoints = Checkpoints(self._folder)
    return self._checkpoints.latest(like)

  def begin(self, step: int) -> None:
    """Drops metrics of later steps: training goes on from there."""
    if self._metrics:
      self._metrics.keep_until(self._group, step)

  def write(self, snapshot: Snapshot, rate: float | None, kept: bool) -> None:
    """Writes a line of metrics, and the parameters if they are to be kept.

    Raises:
      UserError: the disk is full or cannot be written.
    """
    if self._metrics:
      if kept:
        history.write(self._history, snapshot.step, snapshot.state.params)
      self._metrics.write(summary(self._group, snapshot, rate))
      self._metrics.histograms(self._group, snapshot)

  def save(self, snapshot: Snapshot) -> None:
    """Writes a checkpoint.

    Raises:
      UserError: the disk is full or cannot be written.
    """
    assert self._checkpoints is not None  # training begins with `latest`
    self._checkpoints.save(snapshot.step, snapshot.state)

  def kept(self, step: int, like: Params) -> Params:
    """Returns the parameters kept at a step, in the form of `like`.

    Raises:
      UserError: the file is missing or damaged.
    """
    return history.read(self._history, step, like)

  def last_rate(self) -> float:
    """Returns the instance·steps per second when it was last measured; nan if nothing was."""
    return self._metrics.last_rate(self._group) if self._metrics else math.nan

  def close(self) -> None:
    """Releases the folder."""
    if self._checkpoints:
      self._checkpoints.close()


class Memory:
  """In the place of a Ledger, for a run that leaves nothing on disk: parameters to be kept are, and
  nothing else."""

  def __init__(self) -> None:
    """Begins with nothing."""
    self._kept: dict[int, Params] = {}
    self._rate: float | None = None

  def latest(self, like: TrainState) -> None:
    """There is nothing to continue from."""

  def begin(self, step: int) -> None:
    """There are no metrics."""

  def write(self, snapshot: Snapshot, rate: float | None, kept: bool) -> None:
    """Keeps the parameters if they are to be kept."""
    self._rate = rate or self._rate
    if kept:
      self._kept[snapshot.step] = snapshot.state.params

  def save(self, snapshot: Snapshot) -> None:
    """There are no checkpoints."""

  def kept(self, step: int, like: Params) -> Params:
    """Returns the parameters kept at a step."""
    return self._kept[step]

  def last_rate(self) -> float:
    """Returns the instance·steps per second when it was last measured; nan if nothing was."""
    return self._rate or math.nan

  def close(self) -> None:
    """There is nothing to release."""
