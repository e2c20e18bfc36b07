"""Runs a checked config, in a folder or in memory: training, checkpoints, results, figures."""

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition import (
  certificates,
  experiments,
  interrupts,
  problem,
  segments,
  streams,
  train,
)
from toy_superposition.config.resolve import ResolvedConfig
from toy_superposition.devices import memory, processes
from toy_superposition.devices.plan import Plan, make_plans
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import Claim
from toy_superposition.live import Live
from toy_superposition.problem import Problem
from toy_superposition.progress import Progress
from toy_superposition.records import files, history, metrics, netcdf, opening, results, tensorboard
from toy_superposition.records import workdir as workdirs
from toy_superposition.records.recorder import DiskRecorder, MemoryRecorder, Recorder
from toy_superposition.records.workdir import Workdir
from toy_superposition.scoring import Scorer
from toy_superposition.types import Instance, TrainState

if TYPE_CHECKING:
  import xarray as xr

log = logging.getLogger(__name__)
Outcome = Mapping[str, np.ndarray]  # a group's variables of the results, by name


def run(
  resolved: ResolvedConfig,
  workdir: Workdir | None,
  mesh: Mesh,
  plans: Sequence[Plan] | None = None,
  live: Live | None = None,
) -> dict[str, "xr.Dataset"]:
  """Trains the groups that are not yet trained and writes results.nc; returns its datasets.

  Of several processes the first one returns them, and the others nothing.

  Args:
    resolved: what to run.
    workdir: opened for this config; a run found there is continued. None: nothing is written.
    mesh: all devices of this process on an axis of instances.
    plans: of the groups on these devices; made here by default.
    live: draws the models while they are trained; of several processes, in the first one only.

  Raises:
    Interrupted: as `outcomes`.
    UserError: the disk is full or cannot be written, or as `make_plans`.
  """
  plans = make_plans(resolved, mesh) if plans is None else plans
  trained = outcomes(resolved, workdir, plans, live)
  with processes.first_alone() as first:
    return finish(resolved, trained, estimators(plans), workdir, mesh) if first else {}


def outcomes(
  resolved: ResolvedConfig,
  workdir: Workdir | None,
  plans: Sequence[Plan],
  live: Live | None = None,
) -> list[Outcome]:
  """Trains the groups that are not yet trained; returns the results' variables of each group.

  Args:
    resolved: what to run.
    workdir: opened for this config; a run found there is continued. None: nothing is written.
    plans: of its groups.
    live: as for `run`.

  Raises:
    Interrupted: Ctrl-C or SIGTERM came while training; the state was saved within seconds,
      and the same call later continues.
    UserError: the disk is full or cannot be written.
  """
  scores: list[Outcome] = []
  run, writer = "", None
  if not processes.is_first():
    workdir = None  # the first process reads and writes for all
  if workdir:  # as its folder has it: of a shard, with the shard's number
    run = workdirs.training_hash(workdirs.read_identity(workdir))
    events = workdir.tensorboard if resolved.values["run.tensorboard"] else None
    writer = metrics.Metrics(workdir.metrics, events)
  try:
    for number, plan in enumerate(plans):
      interrupts.check()
      recorder = DiskRecorder(workdir, run, number, writer) if workdir else MemoryRecorder()
      state = _train(resolved, number, plan, recorder, live)
      scorer = Scorer(resolved, plan)
      scores.append(
        scorer.trained(state)
        | scorer.history(state, recorder)
        | wall_times(resolved, plan, recorder)
      )
  finally:
    if writer:
      writer.close()
  return scores


def estimators(plans: Sequence[Plan]) -> list[str]:
  """Returns the estimator that trains each group."""
  return [plan.group.spec.estimator for plan in plans]


def finish(
  resolved: ResolvedConfig,
  outcomes: Sequence[Outcome],
  estimators: Sequence[str],
  workdir: Workdir | None,
  mesh: Mesh,
) -> dict[str, "xr.Dataset"]:
  """Adds the experiment's variables to the groups' outcomes; returns the results' datasets.

  With a workdir they are written to results.nc.

  Args:
    resolved: the checked config.
    outcomes: of each of its groups.
    estimators: that trained each group.
    workdir: opened for this config.
    mesh: all devices of this process on an axis of instances.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  interrupts.check()
  outcomes, names = _with_certificates(resolved, outcomes)
  datasets = results.assemble(
    resolved.values, resolved.axes, resolved.groups, outcomes, estimators, resolved.source
  )
  if names:
    datasets = {path: ds.assign_coords(certificates.coords(names)) for path, ds in datasets.items()}
  if resolved.experiment != "none":
    log.info("theory: computing the variables of %s", resolved.experiment)
    experiment = experiments.get(resolved.experiment)
    budget = memory.budget(list(mesh.devices.flat), resolved.values["run.memory_gib"])
    datasets = {name: experiment.computed(ds, mesh, budget) for name, ds in datasets.items()}
    if experiment.compares_sizes:
      datasets[results.SWEEP] = results.gathered(datasets)
  if workdir:
    results.save(workdir, datasets)
  return datasets


def _with_certificates(
  resolved: ResolvedConfig, outcomes: Sequence[Outcome]
) -> tuple[Sequence[Outcome], list[str]]:
  """Returns the groups' outcomes with what is known of their optima, and by which certificates."""
  row = experiments.get(resolved.experiment) if resolved.experiment != "none" else None
  names = certificates.names_for(resolved.groups, row.certificates if row else ())
  if not names:
    return outcomes, names
  values = resolved.values
  method, n_samples = values["evaluation.method"], values["evaluation.n_samples"]
  known = [
    certificates.known(group, names, method=method, n_samples=n_samples)
    for group in resolved.groups
  ]
  return [
    {**outcome, certificates.BOUND: one.bounds, certificates.TOLERANCE: one.tolerances}
    for outcome, one in zip(outcomes, known, strict=True)
  ], names


def _train(
  resolved: ResolvedConfig, number: int, plan: Plan, recorder: Recorder, live: Live | None
) -> TrainState:
  """Returns the trained state of one group, continued from its last checkpoint."""
  spec, instances = plan.group.spec, plan.group.instances
  group_problem, root = problem.make(spec), streams.root(spec.seed)

  def initial_state(instances: Instance) -> TrainState:
    return train.initial_state(group_problem, instances, root)

  if spec.steps == 0:
    return jax.tree.map(np.asarray, jax.jit(initial_state)(instances))
  label = resolved.name
  if len(resolved.groups) > 1:
    label += f" [{number + 1}/{len(resolved.groups)}]"
  with contextlib.closing(recorder):
    start = _start(resolved, spec.steps, jax.eval_shape(initial_state, instances), recorder)
    if start and start[0] == spec.steps:
      return start[1]
    if start:
      log.info("%s: continuing after step %d of %d", label, start[0], spec.steps)
    # Step 0 is recorded again, also when training continues from it.
    recorder.begin(start[0] if start and start[0] else -1)
    progress = Progress(label, start[0] if start else 0, plan, live)
    with contextlib.closing(progress):
      return _train_on(resolved, group_problem, plan, start, recorder, progress)


def _start(
  resolved: ResolvedConfig, steps: int, like: TrainState, recorder: Recorder
) -> tuple[int, TrainState] | None:
  """Returns the newest recorded step and state up to which the history is whole, None without one.

  The first process reads both, perhaps from a disk that the others do not have.
  """
  history_steps = _history_steps(resolved, steps)
  gap = recorder.gap(history_steps, like.params) if processes.is_first() else None
  before = _agreed(steps + 1 if gap is None else gap)
  newest = _latest(recorder, like)
  if newest is None or newest[0] < before:
    return newest
  log.warning("the history of step %d is missing or damaged; training goes back for it", before)
  return _latest(recorder, like, before)


def _latest(
  recorder: Recorder, like: TrainState, before: int | None = None
) -> tuple[int, TrainState] | None:
  """Returns what the first process has recorded, as Recorder.latest does, in all processes."""
  newest = recorder.latest(like, before) if processes.is_first() else None
  step = _agreed(-1 if newest is None else newest[0])
  if step < 0:
    return None
  state = newest[1] if newest else jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), like)
  return step, processes.from_first(state)


def _history_steps(resolved: ResolvedConfig, steps: int) -> tuple[int, ...]:
  return history.steps(steps, resolved.values["history.num"], resolved.values["history.scale"])


def _agreed(number: int) -> int:
  """Returns the first process's number in all processes."""
  return int(processes.from_first(np.int64(number)))


def _train_on(
  resolved: ResolvedConfig,
  group_problem: Problem,
  plan: Plan,
  start: tuple[int, TrainState] | None,
  recorder: Recorder,
  progress: Progress,
) -> TrainState:
  """Returns a group's state after its last step; records it at segment ends on the way."""
  values, steps, n_instances = resolved.values, plan.group.spec.steps, len(plan.group.cells)
  history_steps = _history_steps(resolved, steps)
  first = start[0] if start else 0
  log_steps = segments.log_steps(first, steps, values["run.log_every"], history_steps)
  logged, state = {*log_steps}, None
  saved = paused = time.monotonic()
  with interrupts.deferred() as stop:
    for chunk in train.run(
      group_problem,
      plan,
      segments.segment_ends(first, log_steps, agreed=_agreed),
      start=(first, processes.own_rows(start[1])) if start else None,
      on_compiled=progress.compiled,
    ):
      at_end = chunk.step == steps
      snapshot = processes.gather_snapshot(chunk, n_instances, to_all=at_end)
      progress.update(snapshot)
      if snapshot.step in logged and processes.is_first():
        recorder.write(snapshot, progress.rate, snapshot.step in history_steps)
      state, signal = snapshot.state, processes.any_of(stop())
      before, paused = paused, time.monotonic()
      # At the next pause it would be too late.
      late = 2 * paused - before - saved >= values["run.checkpoint_seconds"]
      due = processes.any_of(int(late))  # clocks differ
      if due or signal or at_end:
        recorder.save(snapshot)
        saved = time.monotonic()
      if signal:
        raise interrupts.Interrupted(signal)
    if signal := processes.any_of(stop()):  # one that came while the last state was saved
      raise interrupts.Interrupted(signal)
  assert state is not None  # there is at least one step to train
  return state


def wall_times(resolved: ResolvedConfig, plan: Plan, recorder: Recorder) -> dict[str, np.ndarray]:
  """Returns the time of a step of one instance, if the experiment stores wall times."""
  if resolved.experiment == "none" or not processes.is_first():
    return {}
  if not experiments.get(resolved.experiment).stores_wall_times:
    return {}
  return {"step_seconds": np.full(len(plan.group.cells), 1 / recorder.last_rate())}


def to_interpret(datasets: Mapping[str, "xr.Dataset"]) -> Mapping[str, "xr.Dataset"]:
  """Returns the datasets for claims and figures.

  One per model shape, or the gathered one if the experiment compares shapes.
  """
  return {"": datasets[results.SWEEP]} if results.SWEEP in datasets else datasets


def draw(name: str, datasets: Mapping[str, "xr.Dataset"], workdir: Workdir) -> Iterator[Path]:
  """Draws an experiment's figure from stored results and yields the files written.

  Args:
    name: of the experiment, or "none", of which nothing is drawn.
    datasets: of the run.
    workdir: of the run.

  Raises:
    UserError: the disk is full or cannot be written, or the results lack what the figure shows.
  """
  experiment = experiments.get(name) if name != "none" else None
  if experiment is None or experiment.figure is None:
    return
  from toy_superposition.drawing import style

  pictures: list[Path] = []
  with files.disk_errors(workdir.figures):
    workdir.figures.mkdir(exist_ok=True)
    for group, dataset in to_interpret(datasets).items():
      interrupts.check()
      stem = workdir.figures / "_".join(filter(None, (name, group.strip("/"))))
      try:
        drawn = experiment.drawn(dataset)
      except UserError as error:
        raise UserError(f"{workdir.path}: {name}: {error}") from error
      # A stem may contain dots.
      made = {stem.with_name(f"{stem.name}.{s}"): style.content(drawn, s) for s in style.FORMATS}
      opening.add_files(workdir, made)
      for path, content in made.items():
        files.write_bytes(path, content)
        yield path
      pictures += [path for path in made if path.suffix == ".png"]
  if workdir.tensorboard.is_dir():  # the run has event files: the figures belong to them
    own = {workdir.path / name for name in workdirs.own_files(workdir)}
    events = tensorboard.write_figures(workdir.tensorboard, pictures, own)
    opening.add_files(workdir, events, written=True)


def claims(name: str, datasets: Mapping[str, "xr.Dataset"]) -> list[Claim]:
  """Returns the claims of an experiment about stored results; none of experiment "none"."""
  if name == "none":
    return []
  experiment = experiments.get(name)
  return [
    claim for dataset in to_interpret(datasets).values() for claim in experiment.decide(dataset)
  ]


def stored(workdir: Workdir) -> dict[str, "xr.Dataset"] | None:
  """Returns the results of a finished run; None, with a warning if damaged, otherwise.

  Raises:
    UserError: they are another run's, or cannot be read.
  """
  if not workdir.results.exists():
    return None
  try:
    return results.read(workdir)
  except netcdf.Damaged as error:
    log.warning("%s; it is made anew from the checkpoints", str(error).split(";")[0])
    return None
