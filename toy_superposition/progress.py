"""What a person sees while a run trains: a bar on a terminal, plain lines elsewhere."""

import logging
import sys
import time

import numpy as np
from tqdm import tqdm

from toy_superposition.train import Program
from toy_superposition.types import Snapshot

log = logging.getLogger(__name__)
LINE_SECONDS = 10.0  # least time between two plain lines


class Progress:
  """Reports one group's training; compilation is told apart from the rate."""

  def __init__(self, label: str, first: int, steps: int, n_instances: int):
    """Starts at step `first` of `steps`."""
    self._label, self._steps, self._n_instances = label, steps, n_instances
    self._bar: tqdm | None = None
    self._step, self._timed_steps, self._seconds = first, 0, 0.0
    self._clock = self._line = time.perf_counter()

  def compiled(self, program: Program, n_slices: int) -> None:
    """Says what the compilation took; training time counts from here."""
    slices = f" in {n_slices} slices" if n_slices > 1 else ""
    shared = f", {program.feature_devices} to an instance" if program.feature_devices > 1 else ""
    log.info(
      "%s: compiled in %.1f s (%s); %d instances%s on %d device(s)%s",
      *(self._label, program.compile_seconds, program.estimator),
      *(self._n_instances, slices, program.n_devices, shared),
    )
    if sys.stderr.isatty():
      self._bar = tqdm(
        total=self._steps, initial=self._step, unit="step", desc=self._label, dynamic_ncols=True
      )
    self._clock = self._line = time.perf_counter()

  @property
  def rate(self) -> float | None:
    """Instance·steps per second so far, without compilation."""
    return self._timed_steps * self._n_instances / self._seconds if self._seconds else None

  def update(self, snapshot: Snapshot) -> None:
    """Reports a snapshot."""
    now = time.perf_counter()
    done = snapshot.step - self._step
    self._seconds, self._timed_steps = self._seconds + now - self._clock, self._timed_steps + done
    self._step, self._clock = snapshot.step, now
    finite = snapshot.losses[snapshot.finite]
    loss = f"{np.median(finite):.4g}" if len(finite) else "none finite"
    if self._bar is not None:
      self._bar.set_postfix_str(f"median loss {loss}", refresh=False)
      self._bar.update(done)
    elif now - self._line >= LINE_SECONDS or snapshot.step == self._steps:
      left = (self._steps - snapshot.step) * self._seconds / max(1, self._timed_steps)
      rate = self.rate or 0.0
      log.info(
        "%s: step %d of %d, median loss %s, %.3g instance·steps/s, %.0f s left",
        *(self._label, snapshot.step, self._steps, loss, rate, left),
      )
      self._line = now

  def close(self) -> None:
    """Leaves the terminal tidy."""
    if self._bar is not None:
      self._bar.close()
