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

from toy_superposition import experiments, interrupts, problem, streams, train
from toy_superposition.config.resolve import ResolvedConfig
from toy_superposition.devices import memory, processes
from toy_superposition.devices.plan import Plan, make_plans
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import Claim
from toy_superposition.problem import Problem
from toy_superposition.progress import Progress
from toy_superposition.records import files, history, metrics, results, tensorboard
from toy_superposition.records import workdir as workdirs
from toy_superposition.records.recorder import DiskRecorder, MemoryRecorder, Recorder
from toy_superposition.records.workdir import Workdir
from toy_superposition.scoring import Scorer
from toy_superposition.types import Instance, TrainState

if TYPE_CHECKING:
  import xarray as xr

log = logging.getLogger(__name__)
LOGS_PER_RUN = 20  # segments of a run whose config sets no length
Outcome = Mapping[str, np.ndarray]  # a group's variables of the results, by name


def run(
  resolved: ResolvedConfig, workdir: Workdir | None, mesh: Mesh, plans: Sequence[Plan] | None = None
) -> dict[str, "xr.Dataset"]:
  """Trains the groups that are not yet trained and writes results.nc; returns its datasets.

  Of several processes the first one returns them, and the others nothing.

  Args:
    resolved: what to run.
    workdir: opened for this config; a run found there is continued. None: nothing is written.
    mesh: all devices of this process on an axis of instances.
    plans: of the groups on these devices; made here by default.

  Raises:
    Interrupted: as `outcomes`.
    UserError: the disk is full or cannot be written, or as `make_plans`.
  """
  plans = make_plans(resolved, mesh) if plans is None else plans
  trained = outcomes(resolved, workdir, plans)
  with processes.first_alone() as first:
    return finish(resolved, trained, workdir, mesh) if first else {}


def outcomes(
  resolved: ResolvedConfig, workdir: Workdir | None, plans: Sequence[Plan]
) -> list[Outcome]:
  """Trains the groups that are not yet trained; returns the results' variables of each group.

  Args:
    resolved: what to run.
    workdir: opened for this config; a run found there is continued. None: nothing is written.
    plans: of its groups.

  Raises:
    Interrupted: Ctrl-C or SIGTERM came while training; the state was saved at the next segment end,
      and the same call later continues.
    UserError: the disk is full or cannot be written.
  """
  scores: list[Outcome] = []
  writer = None
  if workdir and processes.is_first():
    events = workdir.tensorboard if resolved.values["run.tensorboard"] else None
    writer = metrics.Metrics(workdir.metrics, events)
  try:
    for number, plan in enumerate(plans):
      recorder = DiskRecorder(workdir, number, writer) if workdir else MemoryRecorder()
      state = _train(resolved, number, plan, recorder)
      scorer = Scorer(resolved, plan)
      scores.append(
        scorer.trained(state)
        | scorer.history(state, recorder)
        | _wall_times(resolved, plan, recorder)
      )
  finally:
    if writer:
      writer.close()
  return scores


def finish(
  resolved: ResolvedConfig, outcomes: Sequence[Outcome], workdir: Workdir | None, mesh: Mesh
) -> dict[str, "xr.Dataset"]:
  """Adds the experiment's variables to the groups' outcomes; returns the results' datasets.

  With a workdir they are written to results.nc.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  datasets = results.assemble(resolved.values, resolved.axes, resolved.groups, outcomes)
  if resolved.experiment != "none":
    log.info("theory: computing the variables of %s", resolved.experiment)
    experiment = experiments.get(resolved.experiment)
    budget = memory.budget(list(mesh.devices.flat), resolved.values["run.memory_gib"])
    datasets = {name: experiment.run(ds, mesh, budget) for name, ds in datasets.items()}
    if experiment.compares_sizes:
      datasets[results.SWEEP] = results.gathered(datasets)
  if workdir:
    results.save(workdir, datasets)
  return datasets


def _train(resolved: ResolvedConfig, number: int, plan: Plan, recorder: Recorder) -> TrainState:
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
    start = recorder.latest(jax.eval_shape(initial_state, instances))
    if start and start[0] == spec.steps:
      return start[1]
    if start:
      log.info("%s: continuing after step %d of %d", label, start[0], spec.steps)
    recorder.begin(start[0] if start else 0)
    progress = Progress(label, start[0] if start else 0, plan)
    with contextlib.closing(progress):
      return _train_on(resolved, group_problem, plan, start, recorder, progress)


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
  history_steps = history.steps(steps, values["history.num"], values["history.scale"])
  first = start[0] if start else 0
  saved, state = time.monotonic(), None
  with interrupts.deferred() as stop:
    for chunk in train.run(
      group_problem,
      plan,
      _segment_ends(first, steps, values["run.log_every"], history_steps),
      start=(first, processes.own_rows(start[1])) if start else None,
      on_compiled=progress.compiled,
    ):
      snapshot = processes.gather_snapshot(chunk, n_instances)
      progress.update(snapshot)
      recorder.write(snapshot, progress.rate, snapshot.step in history_steps)
      state, signal = snapshot.state, processes.any_of(stop())
      late = time.monotonic() - saved >= values["run.checkpoint_seconds"]
      due = processes.any_of(int(late))  # clocks differ
      if due or signal or snapshot.step == steps:
        recorder.save(snapshot)
        saved = time.monotonic()
      if signal:
        raise interrupts.Interrupted(signal, agreed=True)
    if signal := processes.any_of(stop()):  # one that came while the last state was saved
      raise interrupts.Interrupted(signal, agreed=True)
  assert state is not None  # there is at least one step to train
  return state


def _segment_ends(first: int, steps: int, every: int, history_steps: Sequence[int]) -> list[int]:
  """Returns the steps from `first` on at which training pauses.

  They are the multiples of `every` (0: a twentieth of the steps), the history steps, and the end.
  """
  every = every or max(1, -(-steps // LOGS_PER_RUN))
  if first == steps:
    return []
  later = {*range(first - first % every + every, steps, every), steps}
  start = {0} if first == 0 and 0 in history_steps else set()
  return sorted(start | later | {step for step in history_steps if step > first})


def _wall_times(resolved: ResolvedConfig, plan: Plan, recorder: Recorder) -> dict[str, np.ndarray]:
  """Returns the time of a step of one instance, if the experiment stores wall times."""
  if resolved.experiment == "none" or not processes.is_first():
    return {}
  if not experiments.get(resolved.experiment).stores_wall_times:
    return {}
  return {"step_seconds": np.full(len(plan.group.cells), 1 / recorder.last_rate())}


def _to_interpret(datasets: Mapping[str, "xr.Dataset"]) -> Mapping[str, "xr.Dataset"]:
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
    UserError: the disk is full or cannot be written.
  """
  figure = experiments.get(name).figure if name != "none" else None
  if figure is None:
    return
  from toy_superposition.drawing import style

  pictures: list[Path] = []
  with files.disk_errors(workdir.figures):
    workdir.figures.mkdir(exist_ok=True)
    for group, dataset in _to_interpret(datasets).items():
      stem = workdir.figures / "_".join(filter(None, (name, group.strip("/"))))
      drawn = figure(dataset)
      workdirs.add_pictures(
        workdir, [stem.with_name(f"{stem.name}.{suffix}") for suffix in style.FORMATS]
      )
      written = style.save(drawn, stem)
      pictures += [path for path in written if path.suffix == ".png"]
      yield from written
  if workdir.tensorboard.is_dir():  # the run has event files: the figures belong to them
    tensorboard.write_figures(workdir.tensorboard, pictures)


def claims(name: str, datasets: Mapping[str, "xr.Dataset"]) -> list[Claim]:
  """Returns the claims of an experiment about stored results; none of experiment "none"."""
  if name == "none":
    return []
  experiment = experiments.get(name)
  return [
    claim for dataset in _to_interpret(datasets).values() for claim in experiment.claims(dataset)
  ]


def stored(workdir: Workdir) -> dict[str, "xr.Dataset"] | None:
  """Returns the results of a finished run; None, with a warning if damaged, otherwise."""
  if not workdir.results.exists():
    return None
  try:
    return results.read(workdir)
  except UserError as error:
    log.warning("%s; it is made anew from the checkpoints", str(error).split(";")[0])
    return None
