"""A few steps before a run: its size, its estimated time, and the memory that it takes.

Nothing of it enters the run: states trained here are thrown away. Compiled programs stay in the
cache, where the run finds them.
"""

import os
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

from toy_superposition import problem, rehearsal, runner, text, train
from toy_superposition.config.resolve import ResolvedConfig
from toy_superposition.devices import memory, setup
from toy_superposition.devices.plan import Plan
from toy_superposition.records import results
from toy_superposition.rehearsal import Stage
from toy_superposition.types import Spec

# Within which groups are compiled and their training is timed, scoring, and theory; nothing is
# begun later.
SECONDS, SCORING_SECONDS, THEORY_SECONDS = 8.0, 6.0, 8.0
MIN_SECONDS = 0.3  # of timed steps for a reliable rate
BUSY = 1.2  # load for each core above which a machine is said to be busy
SHARDS = (2, 4, 8, 16, 32, 64, 128)
SHOWN = 12  # groups in the table


class Timing(NamedTuple):
  """The time of a few steps of a group's first slice."""

  steps: int  # that were timed
  step_seconds: float  # of one step of one slice
  compile_seconds: float  # and of all else that is done once before the second step
  cores: float = 0.0  # that worked for this process, on average


class Costs(NamedTuple):
  """Seconds of a run's stages on this machine."""

  start_up: float  # until the first group is compiled
  training: float
  files: float  # checkpoints, history and metrics
  evaluation: float
  theory: float
  figures: float  # claims and page
  compilation: float

  @property
  def total(self) -> float:
    """Their sum."""
    return sum(self)


LABELS = {"start_up": "start-up", "files": "checkpoints", "figures": "figures and page"}


class Estimate(NamedTuple):
  """What a run would take."""

  text: str
  costs: Costs
  outcomes: Sequence[dict[str, Any]]  # variables of each group's results, of untrained models

  def dataset(self, resolved: ResolvedConfig, plans: Sequence[Plan]) -> Any:
    """Returns the results of the untrained models, for models that would be trained on them."""
    found = results.assemble(
      resolved.values,
      resolved.axes,
      resolved.groups,
      self.outcomes,
      runner.estimators(plans),
      resolved.source,
    )
    return next(iter(found.values()))


def time_steps(plan: Plan, seconds: float) -> Timing:
  """Returns the time of steps of a group's first slice on this machine.

  The number of steps doubles until they have taken `seconds`; the last half counts.
  """
  plan = plan.first_slice()
  spec = plan.group.spec
  doubling = (2**k for k in range(spec.steps.bit_length()))
  segment_ends = [step for step in doubling if step <= spec.steps]
  started = clock = time.perf_counter()
  before, step_seconds, cores, worked = 0, 0.0, 0.0, time.process_time()
  compiling = 0.0
  for snapshot in train.run(problem.make(spec), plan, segment_ends):
    now = time.perf_counter()
    if before == 0:  # the first step includes everything that happens once
      started, compiling = now, now - clock
    step_seconds, steps = (now - clock) / (snapshot.step - before), snapshot.step - before
    cores = (time.process_time() - worked) / max(now - clock, 1e-9)
    before, clock, worked = snapshot.step, now, time.process_time()
    if now - started > seconds / 2:  # the next segment would take as long as all before
      break
  return Timing(steps, step_seconds, compiling, cores)


def work(spec: Spec) -> float:
  """Returns an estimate of the arithmetic of one step of an instance, to compare groups."""
  return float(spec.batch_size) * spec.n_features * spec.n_hidden


def estimate(
  resolved: ResolvedConfig,
  plans: Sequence[Plan],
  mesh: Mesh,
  *,
  whole: bool = True,
  start_up: float = 0.0,
  page: rehearsal.Page | None = None,
) -> Estimate:
  """Returns the size of a run and an estimate of its time on this machine.

  Training is extrapolated from a few steps of each group, those with most work first, and what
  follows it from its first slice. Groups for which no time is left are estimated from the others,
  in proportion to `work`. Compilation is not cut short: one group may take longer than SECONDS.

  Args:
    resolved: what would be run.
    plans: of its groups.
    mesh: all devices.
    whole: whether it is all of a sweep, rather than a shard: theory and figures are those of all.
    start_up: seconds that the program took so far.
    page: writes the page of a run.
  """
  load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
  order = sorted(range(len(plans)), key=lambda i: -_total_work(plans[i]))
  timings: dict[int, Timing] = {}
  left = SECONDS
  for i in order:
    if plans[i].group.spec.steps == 0 or (timings and left < MIN_SECONDS):
      continue
    clock = time.perf_counter()
    timings[i] = time_steps(plans[i], max(left / 2 / len(plans), MIN_SECONDS))
    left -= time.perf_counter() - clock
  scored, outcomes, n_bytes = {}, {}, 0
  until = time.perf_counter() + SCORING_SECONDS
  largest, first = plans[order[0]], rehearsal.initial(plans[order[0]])
  for i in order:
    state = first if i == order[0] else rehearsal.initial(plans[i])
    scored[i], outcomes[i] = rehearsal.score(resolved, plans[i], state, until - time.perf_counter())
    n_bytes += sum(leaf.nbytes for leaf in jax.tree.leaves((state, outcomes[i])))
  ordered = [outcomes[i] for i in range(len(plans))]
  theory = figures = recording = rehearsal.NOTHING
  with rehearsal.folder(resolved, n_bytes) as workdir:
    if timings:
      seconds = _seconds(largest, timings[order[0]])
      recording = rehearsal.recording(resolved, largest, first, workdir, seconds)
    if whole:
      theory, figures = rehearsal.theory(
        resolved, plans, ordered, mesh, THEORY_SECONDS, workdir, page
      )
  costs = _costs(plans, timings, scored, theory, figures, recording, start_up)
  parts = [
    _head(resolved, plans, mesh),
    _table(plans, timings) if timings else "nothing is trained",
    _summary(plans, timings, scored, theory, figures, recording, costs),
    _shards(plans, costs) if whole else "theory and figures are computed by collect",
    _busy(timings, costs, load, mesh),
  ]
  return Estimate("\n\n".join(part for part in parts if part), costs, ordered)


def together(first: Costs, second: Costs, name: str) -> str:
  """Returns the time of a run whose source, of that name, is trained before it."""
  total = first.total - first.start_up + second.total  # one process starts up once
  return text.filled(
    f"estimate with the training of {name} before: {text.duration(total)} on this machine", 2
  )


def _total_work(plan: Plan) -> float:
  return work(plan.group.spec) * plan.group.spec.steps * len(plan.group.cells)


def _head(resolved: ResolvedConfig, plans: Sequence[Plan], mesh: Mesh) -> str:
  axes = " × ".join(f"{axis.name} {len(axis.points)}" for axis in resolved.axes) or "no axes"
  n_instances = sum(len(plan.group.cells) for plan in plans)
  groups = f"{len(plans)} group{'s' if len(plans) > 1 else ''}"
  devices, budget = list(mesh.devices.flat), text.size(plans[0].budget)
  kind = ", which share its memory" if memory.is_shared(devices) else ", each with its memory"
  return (
    f"{resolved.name}: {n_instances} models ({axes}) in {groups}\n"
    f"{mesh.size} {devices[0].platform} device(s){kind if mesh.size > 1 else ''}; "
    f"at most {budget} for a slice of models"
  )


def _seconds(plan: Plan, timing: Timing) -> float:
  """Returns the training time of a group that was timed, without compilation."""
  return timing.step_seconds * plan.group.spec.steps * len(plan.slices)


def _guess(plan: Plan, timings: Mapping[int, Timing], plans: Sequence[Plan]) -> float:
  """Returns the training time of a group that was not timed, at the mean rate of the others."""
  if not timings:
    return 0.0
  rate = statistics.mean(
    timing.step_seconds / (work(plans[i].group.spec) * plans[i].slice_length)
    for i, timing in timings.items()
  )
  spec = plan.group.spec
  return rate * work(spec) * plan.slice_length * spec.steps * len(plan.slices)


def _costs(
  plans: Sequence[Plan],
  timings: Mapping[int, Timing],
  scored: Mapping[int, Stage],
  theory: Stage,
  figures: Stage,
  recording: Stage,
  start_up: float,
) -> Costs:
  """Returns the time of each stage; groups that were not timed take what the others suggest."""
  timed = [i for i, stage in scored.items() if stage.timed]

  def size(i: int) -> float:  # of scoring, whose samples are as many for every group
    spec = plans[i].group.spec
    return float(len(plans[i].group.cells)) * spec.n_features * spec.n_hidden

  share = sum(map(size, timed)) / sum(map(size, scored))
  n_trained, compiling = sum(plan.group.spec.steps > 0 for plan in plans), 0.0
  if timings:
    compiling += n_trained * statistics.mean(t.compile_seconds for t in timings.values())
  if timed:
    compiling += len(plans) * statistics.mean(scored[i].compile_seconds for i in timed)
  return Costs(
    start_up=start_up,
    files=n_trained * recording.seconds,
    training=sum(
      (
        _seconds(plan, timings[i]) if i in timings else _guess(plan, timings, plans)
        for i, plan in enumerate(plans)
      ),
      0.0,
    ),
    evaluation=sum(scored[i].seconds for i in timed) / share if timed else 0.0,
    theory=theory.seconds,
    figures=figures.seconds,
    compilation=compiling + sum(s.compile_seconds for s in (theory, figures, recording)),
  )


def _table(plans: Sequence[Plan], timings: Mapping[int, Timing]) -> str:
  header = ("model", "n, m", "batch", "steps", "gradient", "instances", "slices", "memory/device")
  rows: list[tuple[str, ...]] = [(*header, "compiled", "ms/step", "training")]
  for i, plan in enumerate(plans[:SHOWN]):
    spec, n_slices, timing = plan.group.spec, len(plan.slices), timings.get(i)
    cells = (spec.model, f"{spec.n_features}, {spec.n_hidden}", spec.batch_size, spec.steps)
    each = text.size(plan.bytes_per_slice // plan.mesh.size)
    sizes = (spec.estimator, len(plan.group.cells), n_slices, each)
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


def _summary(
  plans: Sequence[Plan],
  timings: Mapping[int, Timing],
  scored: Mapping[int, Stage],
  theory: Stage,
  figures: Stage,
  recording: Stage,
  costs: Costs,
) -> str:
  """Returns the estimate, and what of it was measured."""
  stages = ", ".join(
    f"{LABELS.get(name, name)} {text.duration(x)}" for name, x in costs._asdict().items()
  )
  n_scored = sum(stage.timed for stage in scored.values())
  measured = [
    f"{sum(timing.steps for timing in timings.values())} steps of {len(timings)} of {len(plans)} "
    "groups",
    f"the first slice of evaluation, on one batch, of {n_scored} of {len(plans)} groups",
    "the first slice of theory, of models that are not trained" * bool(theory.timed),
    "the figures and the page" * bool(figures.timed),
    "checkpoints of one group" * bool(timings and recording.timed),
  ]
  left_out = [
    what
    for what, stage in (
      ("theory, which was not timed", theory),
      ("figures and page", figures),
      ("checkpoints", recording),
    )
    if not stage.timed
  ]
  lines = [
    f"estimate: {text.duration(costs.total)} on this machine: {stages}",
    f"measured: {'; '.join(filter(None, measured))}",
    "estimated: the rest, in proportion to steps, slices and batches"
    + (" (~: by the size of the model, not timed)" * (len(timings) < len(plans) and bool(timings))),
    "not in it: " + " and ".join(left_out) if left_out else "",
  ]
  return "\n".join(text.filled(line, 2) for line in lines if line)


def _shards(plans: Sequence[Plan], costs: Costs) -> str:
  """Returns what a shard and all of them take, by their number, if each has this machine's kind."""
  n_instances, n_groups = sum(len(plan.group.cells) for plan in plans), len(plans)
  rows: list[tuple[str, ...]] = [("shards", "each takes", "then collect", "machine time")]
  for total in (n for n in SHARDS if n <= n_instances):
    # Neighbours in the sweep are in one shard. Devices without an instance are idle.
    most = -(-n_instances // total)
    share = min(1.0, max(most, plans[0].scoring_mesh.size) / n_instances)
    groups = min(n_groups, -(-n_groups // total) + (n_groups > 1))
    each = share * (costs.training + costs.evaluation) + costs.compilation * groups / n_groups
    each += costs.start_up + costs.files * groups / n_groups
    after = costs.start_up + costs.theory + costs.figures
    cells = (each, after, total * each + after)
    rows.append((str(total), *map(text.duration, cells)))
  if len(rows) == 1:
    return ""
  about = "estimated for --shard=i/N, each on a machine like this one (a shard's own: --shard too)"
  return f"{about}:\n{text.table(rows)}"


def _busy(timings: Mapping[int, Timing], costs: Costs, load: float, mesh: Mesh) -> str:
  """Returns how much less a run on CPU may take if nothing runs beside it; "" on a quiet machine.

  Every device of a CPU is one thread's work: what it got of its core is what others left.
  """
  cores = setup.cores()
  if not timings or load < BUSY * cores or not memory.is_shared(list(mesh.devices.flat)):
    return ""
  used = statistics.mean(timing.cores for timing in timings.values())
  quiet = costs.total * min(1.0, used / min(cores, mesh.size))
  return text.filled(
    f"this machine is busy (load {load:.1f} on {cores} core(s)): without other work, from about "
    f"{text.duration(quiet)}, if all of it is slowed down like training",
    2,
  )
