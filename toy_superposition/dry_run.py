"""A few steps before a run: its size, its estimated time, and the memory that it takes.

Nothing of it enters the run: states trained here are thrown away. Compiled programs stay in the
cache, where the run finds them.
"""

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jax.sharding import Mesh

from toy_superposition import problem, text, train
from toy_superposition.config.resolve import ResolvedConfig
from toy_superposition.devices.plan import Plan
from toy_superposition.types import Spec

SECONDS = 8.0  # within which groups are compiled and timed; no group is begun later
MIN_SECONDS = 0.3  # of timed steps for a reliable rate
SHOWN = 12  # groups in the table


class Timing(NamedTuple):
  """The time of a few steps of a group's first slice."""

  steps: int  # that were timed
  step_seconds: float  # of one step of one slice
  compile_seconds: float


def time_steps(plan: Plan, seconds: float) -> Timing:
  """Returns the time of steps of a group's first slice on this machine.

  The number of steps doubles until they have taken `seconds`; the last half counts.
  """
  plan, compiled = plan.first_slice(), []
  spec = plan.group.spec
  doubling = (2**k for k in range(spec.steps.bit_length()))
  segment_ends = [step for step in doubling if step <= spec.steps]
  started = clock = time.perf_counter()
  before, step_seconds = 0, 0.0
  for snapshot in train.run(
    problem.make(spec),
    plan,
    segment_ends,
    on_compiled=lambda program: compiled.append(program.compile_seconds),
  ):
    now = time.perf_counter()
    if before == 0:  # the first step includes everything that happens once
      started = now
    step_seconds, steps = (now - clock) / (snapshot.step - before), snapshot.step - before
    before, clock = snapshot.step, now
    if now - started > seconds / 2:  # the next segment would take as long as all before
      break
  return Timing(steps, step_seconds, compiled[0])


def work(spec: Spec) -> float:
  """Returns an estimate of the arithmetic of one step of an instance, to compare groups."""
  return float(spec.batch_size) * spec.n_features * spec.n_hidden


def estimate(resolved: ResolvedConfig, plans: Sequence[Plan], mesh: Mesh) -> str:
  """Returns the size of a run and an estimate of its training time on this machine, as text.

  The estimate extrapolates from a few steps of each group, those with most work first. Groups for
  which no time is left are estimated from the others, in proportion to `work`. Compilation is not
  cut short: one group may take longer than SECONDS.

  Args:
    resolved: what would be run.
    plans: of its groups.
    mesh: all devices.
  """
  head = _head(resolved, plans, mesh)
  if all(plan.group.spec.steps == 0 for plan in plans):
    return f"{head}\n\nnothing is trained: all work is the experiment's own, which was not timed"
  order = sorted(range(len(plans)), key=lambda i: -_total_work(plans[i]))
  timings: dict[int, Timing] = {}
  left = SECONDS
  for i in order:
    if plans[i].group.spec.steps == 0 or (timings and left < MIN_SECONDS):
      continue
    clock = time.perf_counter()
    timings[i] = time_steps(plans[i], max(left / 2 / len(plans), MIN_SECONDS))
    left -= time.perf_counter() - clock
  return f"{head}\n\n{_table(plans, timings)}\n\n{_summary(plans, timings)}"


def _total_work(plan: Plan) -> float:
  return work(plan.group.spec) * plan.group.spec.steps * len(plan.group.cells)


def _head(resolved: ResolvedConfig, plans: Sequence[Plan], mesh: Mesh) -> str:
  axes = " × ".join(f"{axis.name} {len(axis.points)}" for axis in resolved.axes) or "no axes"
  n_instances = sum(len(plan.group.cells) for plan in plans)
  groups = f"{len(plans)} group{'s' if len(plans) > 1 else ''}"
  platform, budget = mesh.devices.flat[0].platform, text.size(plans[0].budget)
  return (
    f"{resolved.name}: {n_instances} models ({axes}) in {groups}\n"
    f"{mesh.size} {platform} device(s), at most {budget} for a slice of models"
  )


def _seconds(plan: Plan, timing: Timing) -> float:
  """Returns the training time of a group that was timed, without compilation."""
  return timing.step_seconds * plan.group.spec.steps * len(plan.slices)


def _guess(plan: Plan, timings: Mapping[int, Timing], plans: Sequence[Plan]) -> float:
  """Returns the training time of a group that was not timed, at the mean rate of the others."""
  rate = statistics.mean(
    timing.step_seconds / (work(plans[i].group.spec) * plans[i].slice_length)
    for i, timing in timings.items()
  )
  spec = plan.group.spec
  return rate * work(spec) * plan.slice_length * spec.steps * len(plan.slices)


def _table(plans: Sequence[Plan], timings: Mapping[int, Timing]) -> str:
  header = ("model", "n, m", "batch", "steps", "gradient", "instances", "slices", "memory")
  rows: list[tuple[str, ...]] = [(*header, "compiled", "ms/step", "training")]
  for i, plan in enumerate(plans[:SHOWN]):
    spec, n_slices, timing = plan.group.spec, len(plan.slices), timings.get(i)
    cells = (spec.model, f"{spec.n_features}, {spec.n_hidden}", spec.batch_size, spec.steps)
    sizes = (spec.estimator, len(plan.group.cells), n_slices, text.size(plan.bytes_per_slice))
    times = ("", "", f"~{text.duration(_guess(plan, timings, plans))}")
    if timing:
      times = (
        f"{timing.compile_seconds:.1f} s",
        f"{1000 * timing.step_seconds * n_slices:.3g}",
        text.duration(_seconds(plan, timing)),
      )
    rows.append(tuple(map(str, (*cells, *sizes, *times))))
  left = f"\n… and {len(plans) - SHOWN} groups more" if len(plans) > SHOWN else ""
  return text.table(rows) + left


def _summary(plans: Sequence[Plan], timings: Mapping[int, Timing]) -> str:
  training = sum(
    _seconds(plan, timings[i]) if i in timings else _guess(plan, timings, plans)
    for i, plan in enumerate(plans)
  )
  compiling = len(plans) * statistics.mean(t.compile_seconds for t in timings.values())
  steps = sum(timing.steps for timing in timings.values())
  sentence = (
    f"estimate: {text.duration(training)} of training and {text.duration(compiling)} of "
    f"compilation, extrapolated from {steps} steps of {len(timings)} of {len(plans)} groups on "
    "this machine"
  )
  if len(timings) < len(plans):
    sentence += " (~: by the size of the model, not timed)"
  return text.filled(f"{sentence}; start-up, evaluation, theory and figures come on top", 0)
