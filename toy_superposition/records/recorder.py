"""Recorders: where the checkpoints, history and metrics of one group go.

Of several processes the first one alone has a recorder with a folder.
"""

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from toy_superposition.records import opening, remote
from toy_superposition.records.checkpoints import Checkpoints
from toy_superposition.records.history import History
from toy_superposition.records.metrics import Metrics, summary
from toy_superposition.records.workdir import Workdir
from toy_superposition.types import Params, Snapshot, TrainState


@runtime_checkable
class Recorder(Protocol):
  """Records the training of one group, from `latest` to `close`."""

  def gap(self, steps: Sequence[int], like: Params) -> int | None:
    """Returns the first of the history's steps that is not recorded, None if all are.

    Args:
      steps: of the history, in order.
      like: parameters with the expected names, shapes and types.

    Raises:
      UserError: a file is of another run, or is there and cannot be read.
    """
    ...

  def latest(self, like: TrainState, before: int | None = None) -> tuple[int, TrainState] | None:
    """Returns the newest readable step and state, None if there is none.

    Args:
      like: a state with the expected names, shapes and types, such as from jax.eval_shape.
      before: a step; only states of earlier ones count.

    Raises:
      UserError: the folder cannot be made or read, or holds states of another run.
    """
    ...

  def begin(self, step: int) -> None:
    """Drops metrics of steps after `step`, from which training continues; all of them for −1."""
    ...

  def write(self, snapshot: Snapshot, rate: float | None, in_history: bool) -> None:
    """Records metrics and, if the step belongs to the history, the parameters.

    Args:
      snapshot: at a segment end.
      rate: instance·steps per second without compilation; None if nothing was timed.
      in_history: whether the step is one of history.steps.

    Raises:
      UserError: the disk is full or cannot be written.
    """
    ...

  def save(self, snapshot: Snapshot) -> None:
    """Records a checkpoint.

    Raises:
      UserError: the disk is full or cannot be written.
    """
    ...

  def history(self, step: int, like: Params) -> Params:
    """Returns the parameters at a step of the history, in the form of `like`.

    Raises:
      UserError: the file is missing or damaged.
    """
    ...

  def last_rate(self) -> float:
    """Returns the last measured instance·steps per second; nan if nothing was timed."""
    ...

  def close(self) -> None:
    """Releases the folder."""
    ...


class DiskRecorder:
  """Recorder of a run with a folder."""

  def __init__(self, workdir: Workdir, run: str, group: int, metrics: Metrics | None):
    """Makes no file; `latest` does.

    Args:
      workdir: of the run.
      run: the run's hash, see workdir.training_hash.
      group: its number.
      metrics: of the run; None in a process that does not write them.
    """
    self._workdir, self._run, self._group, self._metrics = workdir, run, group, metrics
    self._history = History(workdir.history(group), run, group)
    self._checkpoints: Checkpoints | None = None

  def gap(self, steps: Sequence[int], like: Params) -> int | None:
    """Returns the first step whose file is missing or damaged."""
    return self._history.gap(steps, like)

  def latest(self, like: TrainState, before: int | None = None) -> tuple[int, TrainState] | None:
    """Returns the state of the newest readable checkpoint and its step."""
    folder = self._workdir.checkpoints(self._group)
    self._checkpoints = Checkpoints(folder, self._run, self._group)
    return self._checkpoints.latest(like, before)

  def begin(self, step: int) -> None:
    """Drops the group's lines of metrics.jsonl after `step`."""
    if self._metrics:
      self._metrics.keep_until(self._group, step)

  def write(self, snapshot: Snapshot, rate: float | None, in_history: bool) -> None:
    """Writes the history first, then a line of metrics and event files."""
    if self._metrics:
      if in_history:
        opening.add_files(self._workdir, [self._history.path(snapshot.step)])
        self._history.write(snapshot.step, snapshot.state.params)
      self._metrics.write(summary(self._group, snapshot, rate))
      self._metrics.histograms(self._group, snapshot)
      opening.add_files(self._workdir, self._metrics.event_files(), written=True)

  def save(self, snapshot: Snapshot) -> None:
    """Writes a checkpoint."""
    assert self._checkpoints is not None  # training begins with `latest`
    if self._metrics:
      folder = self._workdir.checkpoints(self._group)
      opening.add_files(self._workdir, [folder / str(snapshot.step)])
      self._metrics.sync()
    self._checkpoints.save(snapshot.step, snapshot.state)
    remote.send(self._workdir.path)

  def history(self, step: int, like: Params) -> Params:
    """Returns the parameters in the history's file of a step."""
    return self._history.read(step, like)

  def last_rate(self) -> float:
    """Returns the rate in the last line of metrics; nan in a process that does not write them."""
    return self._metrics.last_rate(self._group) if self._metrics else math.nan

  def close(self) -> None:
    """Releases the folder of checkpoints."""
    if self._checkpoints:
      self._checkpoints.close()


class MemoryRecorder:
  """Recorder of a run without a folder: holds the history and the last rate, drops all else."""

  def __init__(self) -> None:
    """Begins without history."""
    self._history: dict[int, Params] = {}
    self._rate: float | None = None

  def gap(self, steps: Sequence[int], like: Params) -> int | None:
    """Returns the first step: nothing is recorded before training."""
    return next(iter(steps), None)

  def latest(self, like: TrainState, before: int | None = None) -> None:
    """Returns None: there are no checkpoints."""

  def begin(self, step: int) -> None:
    """Does nothing: there are no metrics."""

  def write(self, snapshot: Snapshot, rate: float | None, in_history: bool) -> None:
    """Holds the parameters, if the step belongs to the history."""
    self._rate = rate or self._rate
    if in_history:
      self._history[snapshot.step] = snapshot.state.params

  def save(self, snapshot: Snapshot) -> None:
    """Does nothing: there are no checkpoints."""

  def history(self, step: int, like: Params) -> Params:
    """Returns the parameters held for a step."""
    return self._history[step]

  def last_rate(self) -> float:
    """Returns the last measured instance·steps per second; nan if nothing was timed."""
    return self._rate or math.nan

  def close(self) -> None:
    """Does nothing: there is nothing to release."""
