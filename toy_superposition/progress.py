"""Progress of training: a bar on a terminal, plain lines elsewhere."""

import contextlib
import logging
import sys
import time

import numpy as np
from tqdm import tqdm

from toy_superposition import watchdog
from toy_superposition.devices import meshes
from toy_superposition.devices.plan import Plan
from toy_superposition.live import Live
from toy_superposition.train import Program
from toy_superposition.types import Snapshot

log = logging.getLogger(__name__)
LINE_SECONDS = 10.0  # minimum time between two plain lines


class Progress:
  """Reports one group's training; compilation does not enter the rate."""

  def __init__(self, label: str, first: int, plan: Plan, live: Live | None = None):
    """Starts at step `first` of the plan's group, which `live` draws."""
    self._label, self._plan = label, plan
    self._steps, self._n_instances = plan.group.spec.steps, len(plan.group.instances.index)
    self._bar: tqdm | None = None
    self._step, self._timed_steps, self._seconds = first, 0, 0.0
    self._clock = self._line = time.perf_counter()
    self._live = live
    if live is not None:
      live.begin(label, plan.group)
    self._ended = contextlib.ExitStack()
    self._watch = self._ended.enter_context(watchdog.watched(f"{label}: compiling"))

  def compiled(self, program: Program) -> None:
    """Reports the compilation; training time is counted from here."""
    self._watch_steps()
    n_slices, width = len(self._plan.slices), meshes.feature_devices(program.mesh)
    slices = f" in {n_slices} slices" if n_slices > 1 else ""
    shared = f", {width} to an instance" if width > 1 else ""
    log.info(
      "%s: compiled in %.1f s (%s); %d instances%s on %d device(s)%s",
      *(self._label, program.compile_seconds, self._plan.group.spec.estimator),
      *(self._n_instances, slices, program.mesh.size, shared),
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
    n_steps = snapshot.step - self._step
    self._seconds += now - self._clock
    self._timed_steps += n_steps
    self._step, self._clock = snapshot.step, now
    self._watch_steps()
    if self._live is not None:
      self._live.update(snapshot)
    finite = snapshot.losses[snapshot.finite]
    loss = f"{np.median(finite):.4g}" if len(finite) else "none finite"
    if self._bar is not None:
      self._bar.set_postfix_str(f"median loss {loss}", refresh=False)
      self._bar.update(n_steps)
    elif now - self._line >= LINE_SECONDS or snapshot.step == self._steps:
      left = (self._steps - snapshot.step) * self._seconds / max(1, self._timed_steps)
      rate = self.rate or 0.0
      log.info(
        "%s: step %d of %d, median loss %s, %.3g instance·steps/s, %.0f s left",
        *(self._label, snapshot.step, self._steps, loss, rate, left),
      )
      self._line = now

  def _watch_steps(self) -> None:
    self._watch(f"{self._label}: training from step {self._step} of {self._steps} on")

  def close(self) -> None:
    """Ends the watch, and the bar, so that the next line of the terminal is free."""
    self._ended.close()
    if self._bar is not None:
      self._bar.close()
