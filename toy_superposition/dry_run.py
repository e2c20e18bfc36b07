"""A few steps before a run: how large it is, how long it will take, where a step's time goes.

Nothing of it enters the run: what was trained here is thrown away. Compiled programs are kept in
the cache, where the run finds them.
"""

import statistics
import time
from typing import NamedTuple

import jax
from jax.sharding import Mesh

from toy_superposition import estimators, problem, terminal, train
from toy_superposition.config.resolve import Experiment
from toy_superposition.devices import meshes
from toy_superposition.devices import plan as planning
from toy_superposition.runner import group_meshes
from toy_superposition.types import Group, Spec

SECONDS = 8.0  # within which groups are compiled and timed; no group is begun later
LEAST_SECONDS = 0.3  # of timed steps for a rate to be believed
SHOWN = 12  # groups in the table


class Plan(NamedTuple):
  """How the instances of one group are spread over time and memory."""

  group: Group  # with its estimator settled
  n_slices: int
  per_slice: int  # instances of one slice
  memory: int  # bytes that one slice is planned to take on all devices


class Timing(NamedTuple):
  """What a few steps of a group's first slice took."""

  steps: int  # that were timed
  step_seconds: float  # of one step of one slice
  compile_seconds: float


def plan(group: Group, mesh: Mesh, budget: int) -> Plan:
  """Returns how a group would be trained on its mesh; `budget` is in bytes, for a slice."""
  mesh = meshes.at_most(mesh, len(group.instances.index))
  platform, shared = mesh.devices.flat[0].platform, meshes.feature_devices(mesh) > 1
  group = estimators.settled(group, platform, shared)
  parts = planning.slices(group, mesh, budget)
  taken = len(parts[0]) * planning.instance_bytes(group, mesh)
  taken += mesh.shape[meshes.INSTANCE] * planning.shared_bytes(group, mesh)
  return Plan(group, len(parts), len(parts[0]), taken)


def first_slice(one: Plan) -> Group:
  """Returns the group cut down to the instances of its first slice."""
  group = one.group
  instances = jax.tree.map(lambda leaf: leaf[: one.per_slice], group.instances)
  return group._replace(instances=instances, cells=group.cells[: one.per_slice])


def timed(one: Plan, mesh: Mesh, seconds: float) -> Timing:
  """Returns what steps of a group's first slice take on this machine.

  The number of steps doubles until they have taken `seconds`; the last half counts.
  """
  group, compiled = first_slice(one), []
  doubling = (2**k for k in range(group.spec.steps.bit_length()))
  borders = [step for step in doubling if step <= group.spec.steps]
  started = clock = time.perf_counter()
  before, step_seconds = 0, 0.0
  for snapshot in train.run(
    problem.make(group.spec),
    group,
    borders,
    mesh=mesh,
    memory_budget=one.memory,
    on_compiled=lambda program, n_slices: compiled.append(program.compile_seconds),
  ):
    now = time.perf_counter()
    if before == 0:  # all that happens once is in the first step
      started = now
    step_seconds, steps = (now - clock) / (snapshot.step - before), snapshot.step - before
    before, clock = snapshot.step, now
    if now - started > seconds / 2:  # the next border would take as long as all before
      break
  return Timing(steps, step_seconds, compiled[0])


def work(spec: Spec) -> float:
  """Returns about how much arithmetic one step of an instance is, to compare two groups by."""
  return float(spec.batch_size) * spec.n_features * spec.n_hidden


def dry_run(experiment: Experiment, mesh: Mesh, budget: int) -> str:
  """Returns what a run would be, as text: groups, instances, slices, memory, and an estimate of the
  time that training takes on this machine, from a few steps of each group.

  The groups with most work come first; those for which no time is left are estimated from the
  others, by `work`. Compilation is not cut short: one group may take longer than all should.
  """
  own = group_meshes(experiment, mesh)
  plans = [plan(group, its, budget) for group, its in zip(experiment.groups, own, strict=True)]
  head = _head(experiment, plans, mesh, budget)
  if all(one.group.spec.steps == 0 for one in plans):
    return f"{head}\n\nnothing is trained: all is in the analysis, which was not timed"
  order = sorted(range(len(plans)), key=lambda i: -_total_work(plans[i]))
  found: dict[int, Timing] = {}
  left = SECONDS
  for i in order:
    if plans[i].group.spec.steps == 0 or (found and left < LEAST_SECONDS):
      continue
    clock = time.perf_counter()
    found[i] = timed(plans[i], own[i], max(left / 2 / len(plans), LEAST_SECONDS))
    left -= time.perf_counter() - clock
  return f"{head}\n\n{_table(plans, found)}\n\n{_estimate(plans, found)}"


def _total_work(one: Plan) -> float:
  return work(one.group.spec) * one.group.spec.steps * len(one.group.instances.index)


def _head(experiment: Experiment, plans: list[Plan], mesh: Mesh, budget: int) -> str:
  axes = " × ".join(f"{axis.name} {len(axis.points)}" for axis in experiment.axes) or "no axes"
  n_instances = sum(len(one.group.instances.index) for one in plans)
  groups = f"{len(plans)} group{'s' if len(plans) > 1 else ''}"
  device = mesh.devices.flat[0]
  return (
    f"{experiment.name}: {n_instances} models ({axes}) in {groups}\n"
    f"{mesh.size} {device.platform} device(s), at most {_size(budget)} for a slice of models"
  )


def _seconds(one: Plan, timing: Timing) -> float:
  """Returns how long a group trains, without compilation."""
  return timing.step_seconds * one.group.spec.steps * one.n_slices


def _guess(one: Plan, found: dict[int, Timing], plans: list[Plan]) -> float:
  """Returns how long a group that was not timed trains, from the mean of those that were."""
  rate = statistics.mean(
    timing.step_seconds / (work(plans[i].group.spec) * plans[i].per_slice)
    for i, timing in found.items()
  )
  return rate * work(one.group.spec) * one.per_slice * one.group.spec.steps * one.n_slices


def _table(plans: list[Plan], found: dict[int, Timing]) -> str:
  header = ("model", "n, m", "batch", "steps", "gradient", "instances", "slices", "memory")
  rows: list[tuple[str, ...]] = [(*header, "compiled", "ms/step", "training")]
  for i, one in enumerate(plans[:SHOWN]):
    spec, timing = one.group.spec, found.get(i)
    cells = (spec.model, f"{spec.n_features}, {spec.n_hidden}", spec.batch_size, spec.steps)
    sizes = (spec.estimator, len(one.group.instances.index), one.n_slices, _size(one.memory))
    times = ("", "", f"~{_duration(_guess(one, found, plans))}")
    if timing:
      per_step = 1000 * timing.step_seconds * one.n_slices
      times = (
        f"{timing.compile_seconds:.1f} s",
        f"{per_step:.3g}",
        _duration(_seconds(one, timing)),
      )
    rows.append(tuple(map(str, (*cells, *sizes, *times))))
  left = f"\n… and {len(plans) - SHOWN} groups more" if len(plans) > SHOWN else ""
  return terminal.columns(rows) + left


def _estimate(plans: list[Plan], found: dict[int, Timing]) -> str:
  training = sum(
    _seconds(one, found[i]) if i in found else _guess(one, found, plans)
    for i, one in enumerate(plans)
  )
  compiling = len(plans) * statistics.mean(t.compile_seconds for t in found.values())
  steps = sum(timing.steps for timing in found.values())
  text = (
    f"estimate: {_duration(training)} of training and {_duration(compiling)} of compilation, "
    f"extrapolated from {steps} steps of {len(found)} of {len(plans)} groups on this machine"
  )
  if len(found) < len(plans):
    text += " (~: by the size of the model, not timed)"
  return terminal.filled(f"{text}; start-up, evaluation, theory and figures come on top", 0)


def _size(n_bytes: int) -> str:
  """Returns bytes in words."""
  size = float(n_bytes)
  for unit in ("B", "KiB", "MiB"):
    if size < 1024:
      return f"{size:.3g} {unit}" if size < 999.5 else f"{size:.0f} {unit}"
    size /= 1024
  return f"{size:.3g} GiB"


def _duration(seconds: float) -> str:
  """Returns seconds in words."""
  if seconds < 90:
    return f"{seconds:.2g} s"
  return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
