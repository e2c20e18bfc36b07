"""metrics.jsonl and, with config.run.tensorboard, TensorBoard event files."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from toy_superposition.records import files
from toy_superposition.records.tensorboard import EventFiles
from toy_superposition.types import Snapshot

QUANTILES = {"loss_min": 0, "loss_q10": 10, "loss_median": 50, "loss_q90": 90, "loss_max": 100}


def summary(group: int, snapshot: Snapshot, rate: float | None) -> dict[str, Any]:
  """Returns one line of metrics: quantiles of the loss over the finite instances of a group.

  Args:
    group: its number.
    snapshot: at a segment end.
    rate: instance·steps per second without compilation; None if nothing was timed.
  """
  losses = snapshot.losses[snapshot.finite]
  record: dict[str, Any] = {"group": group, "step": snapshot.step}
  record["estimator"] = snapshot.estimator
  record["n_instances"] = len(snapshot.losses)
  record["n_nonfinite"] = int(np.sum(~snapshot.finite))
  for name, quantile in QUANTILES.items():
    value = float(np.percentile(losses, quantile)) if len(losses) else math.nan
    record[name] = value if math.isfinite(value) else None
  record["instance_steps_per_second"] = None if rate is None else float(f"{rate:.4g}")
  return record


class Metrics:
  """Appends records to metrics.jsonl; a record outlives the process when `write` returns."""

  def __init__(self, path: Path, tensorboard: Path | None):
    """Opens metrics.jsonl for appending, and event files under `tensorboard` if given.

    Raises:
      UserError: tensorboardX is not installed.
    """
    self._path = path
    self._events = None if tensorboard is None else EventFiles(tensorboard)

  def keep_until(self, group: int, step: int) -> None:
    """Drops a group's records after `step`, from which its training continues, and torn lines."""
    if not self._path.exists():
      return
    with files.disk_errors(self._path):
      lines = self._path.read_text(errors="replace").splitlines()
    retained = []
    for line in lines:
      try:
        record = json.loads(line)
        if record["group"] != group or record["step"] <= step:
          retained.append(line + "\n")
      except (ValueError, KeyError, TypeError):
        continue  # a line torn by a crash
    with files.replacing(self._path) as temporary:
      temporary.write_text("".join(retained))

  def last_rate(self, group: int) -> float:
    """Returns the instance·steps per second in a group's last record; nan if it was not timed."""
    with files.disk_errors(self._path):
      records = [json.loads(line) for line in self._path.read_text().splitlines()]
    rates = [record["instance_steps_per_second"] for record in records if record["group"] == group]
    return float(rates[-1]) if rates and rates[-1] else math.nan

  def write(self, record: dict[str, Any]) -> None:
    """Appends a record to the file and, if any, its numbers to the event files."""
    files.append_line(self._path, json.dumps(record, allow_nan=False), sync=False)
    if self._events:
      self._events.scalars(record)

  def event_files(self) -> set[Path]:
    """Returns the event files that were made so far."""
    return self._events.written() if self._events else set()

  def sync(self) -> None:
    """Waits until the records are on disk, and outlive the machine."""
    if self._path.exists():
      with files.disk_errors(self._path):
        files.sync(self._path)

  def histograms(self, group: int, snapshot: Snapshot) -> None:
    """Writes histograms of a group's feature norms and dimensionalities to the event files, if
    any."""
    directions = getattr(snapshot.state.params, "directions", None)  # of toy models
    if self._events and directions is not None:
      self._events.histograms(group, snapshot.step, np.asarray(directions))

  def close(self) -> None:
    """Closes the event files, if any."""
    if self._events:
      self._events.close()
