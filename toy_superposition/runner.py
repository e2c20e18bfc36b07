"""Runs an experiment, in a folder or in memory: training, checkpoints, results, figures."""

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition import estimators, interrupts, problem, scoring, streams, train
from toy_superposition.config.resolve import Experiment
from toy_superposition.devices import memory, meshes, plan, processes
from toy_superposition.drawing import style
from toy_superposition.errors import UserError
from toy_superposition.experiments import ANALYSES, FIGURES
from toy_superposition.experiments.experiment import Claim
from toy_superposition.measures import MEASURES, working_bytes
from toy_superposition.measures import check as check_measures
from toy_superposition.progress import Progress
from toy_superposition.records import files, history, metrics, results, tensorboard
from toy_superposition.records.recorder import Ledger, Memory
from toy_superposition.records.workdir import Workdir
from toy_superposition.types import TrainState

if TYPE_CHECKING:
  import xarray as xr

log = logging.getLogger(__name__)
LOGS_PER_RUN = 20  # segments of a run when the config names no length


def run(experiment: Experiment, workdir: Workdir | None, mesh: Mesh) -> dict[str, "xr.Dataset"]:
  """Trains what is not yet trained and writes results.nc; returns its datasets.

  Of several processes the first one returns them, and the others nothing. Without a workdir nothing
  is written. Args and errors are those of `outcomes`.
  """
  found = outcomes(experiment, workdir, mesh)
  with processes.first_alone() as first:
    return finish(experiment, found, workdir, mesh) if first else {}


def group_meshes(experiment: Experiment, mesh: Mesh) -> list[Mesh]:
  """Returns the mesh that each group is trained on, made of the devices of `mesh`.

  Raises:
    UserError: devices cannot share the features as the config wants, or an instance does not fit,
      in training or with its measures; or a measure is not what its row says.
  """
  values, devices = experiment.values, list(mesh.devices.flat)
  limit = memory.memory_limit(devices, values["run.memory_gib"])
  budget, wanted = _budget(experiment, mesh), values["run.feature_devices"]
  rows = {name: MEASURES[name] for name in experiment.measures}
  found = []
  for group in experiment.groups:
    n_features = group.spec.n_features
    check_measures(rows, group.spec.n_hidden, n_features)
    one = plan.mesh_for(group, mesh, budget, limit, wanted)
    place = (
      limit if memory.shares_memory(devices) else limit * meshes.feature_devices(one) / len(devices)
    )
    if (taken := working_bytes(n_features, list(rows.values()))) > place:
      pairwise = [name for name, row in rows.items() if row.pairwise]
      raise UserError(
        f"config.measures: {', '.join(pairwise)} of all pairs of {n_features} features take "
        f"{taken / memory.GIB:.3g} GiB, and there are {place / memory.GIB:.3g} GiB; "
        "leave them out"
      )
    found.append(one)
  return found


def outcomes(
  experiment: Experiment, workdir: Workdir | None, mesh: Mesh
) -> list[dict[str, np.ndarray]]:
  """Trains what is not yet trained; returns the results' variables of each group.

  Args:
    experiment: what to run.
    workdir: opened for this experiment; a run found there is continued. None: nothing is written.
    mesh: the devices to spread the instances over.

  Raises:
    Interrupted: Ctrl-C or SIGTERM came while training; the state was saved at the next border,
      and the same call later continues.
    UserError: the disk is full or cannot be written; or as `group_meshes` says.
  """
  values = experiment.values
  budget = _budget(experiment, mesh)
  own_meshes = group_meshes(experiment, mesh)
  found, writer = [], None
  if workdir and processes.is_first():
    events = workdir.tensorboard if values["run.tensorboard"] else None
    writer = metrics.Metrics(workdir.metrics, events)
  try:
    for i, (group, own_mesh) in enumerate(zip(experiment.groups, own_meshes, strict=True)):
      ledger = Ledger(workdir, i, writer) if workdir else Memory()
      state = _train(experiment, i, ledger, own_mesh, budget)
      judge = scoring.Judge(experiment, group, own_mesh, budget)
      found.append(
        judge.trained(state) | judge.history(state, ledger) | _timing(experiment, i, ledger)
      )
  finally:
    if writer:
      writer.close()
  return found


def finish(
  experiment: Experiment,
  found: Sequence[Mapping[str, np.ndarray]],
  workdir: Workdir | None,
  mesh: Mesh,
) -> dict[str, "xr.Dataset"]:
  """Puts theory beside the results' variables of each group; writes results.nc into a workdir.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  values, budget = experiment.values, _budget(experiment, mesh)
  datasets = results.assemble(values, experiment.axes, experiment.groups, found)
  if values["analysis"] != "none":
    log.info("theory: computing what %s compares with", values["analysis"])
    analysis = ANALYSES[values["analysis"]]
    datasets = {name: analysis.run(ds, mesh, budget) for name, ds in datasets.items()}
    if analysis.across:
      datasets[results.SWEEP] = results.gathered(datasets)
  if workdir:
    results.save(workdir, datasets)
  return datasets


def _budget(experiment: Experiment, mesh: Mesh) -> int:
  gibibytes = experiment.values["run.memory_gib"]
  return memory.memory_budget(list(mesh.devices.flat), gibibytes)


def _borders(first: int, steps: int, every: int, kept: Sequence[int]) -> list[int]:
  """Returns the steps from `first` on at which training pauses: multiples of `every`, those at
  which parameters are kept, and the end."""
  every = every or max(1, -(-steps // LOGS_PER_RUN))
  if first == steps:
    return []
  later = {*range(first - first % every + every, steps, every), steps}
  start = {0} if first == 0 and 0 in kept else set()
  return sorted(start | later | {step for step in kept if step > first})


def _train(
  experiment: Experiment,
  number: int,
  ledger: Ledger | Memory,
  mesh: Mesh,
  budget: int,
) -> TrainState:
  """Returns the trained state of one group, from its last checkpoint on."""
  values, group = experiment.values, experiment.groups[number]
  one = problem.make(group.spec)
  root = streams.root(group.spec.seed)
  like = jax.eval_shape(lambda i: train.initial_state(one, i, root), group.instances)
  if group.spec.steps == 0:
    initial = jax.jit(lambda i: train.initial_state(one, i, root))(group.instances)
    return jax.tree.map(np.asarray, initial)
  n_instances = len(group.instances.index)
  label = experiment.name
  if len(experiment.groups) > 1:
    label += f" [{number + 1}/{len(experiment.groups)}]"
  kept = history.steps(group.spec.steps, values["history.num"], values["history.scale"])
  with contextlib.closing(ledger):
    start = ledger.latest(like)
    step, state = start or (0, None)
    if start and step == group.spec.steps:
      return start[1]
    if start:
      log.info("%s: continuing after step %d of %d", label, step, group.spec.steps)
    ledger.begin(step)
    platform, shared = mesh.devices.flat[0].platform, meshes.feature_devices(mesh) > 1
    settled = estimators.settled(group, platform, shared)
    progress = Progress(label, step, group.spec.steps, n_instances)
    saved = time.monotonic()
    with contextlib.closing(progress), interrupts.deferred() as stop:
      for part in train.run(
        one,
        processes.own(settled),
        _borders(step, group.spec.steps, values["run.log_every"], kept),
        mesh=mesh,
        memory_budget=budget,
        start=(step, processes.own_rows(state)) if start else None,
        on_compiled=progress.compiled,
      ):
        snapshot = processes.whole_snapshot(part, n_instances)
        progress.update(snapshot)
        ledger.write(snapshot, progress.rate, snapshot.step in kept)
        state, signal = snapshot.state, processes.any_of(stop())
        late = time.monotonic() - saved >= values["run.checkpoint_seconds"]
        due = processes.any_of(int(late))  # clocks differ
        if due or signal or snapshot.step == group.spec.steps:
          ledger.save(snapshot)
          saved = time.monotonic()
        if signal:
          raise interrupts.Interrupted(signal, agreed=True)
      if signal := processes.any_of(stop()):  # one that came while the last state was saved
        raise interrupts.Interrupted(signal, agreed=True)
  assert state is not None  # a group has at least one step
  return state


def _timing(experiment: Experiment, number: int, ledger: Ledger | Memory) -> dict[str, np.ndarray]:
  """Returns what a step of one group took, where the analysis asks for it."""
  analysis = ANALYSES.get(experiment.values["analysis"])
  if analysis is None or not analysis.timed or not processes.is_first():
    return {}
  return {"step_seconds": np.full(len(experiment.groups[number].cells), 1 / ledger.last_rate())}


def _told(datasets: Mapping[str, "xr.Dataset"]) -> Mapping[str, "xr.Dataset"]:
  """Returns what claims and figures are made of: each shape, or all gathered where they are."""
  return {"": datasets[results.SWEEP]} if results.SWEEP in datasets else datasets


def draw(
  names: Sequence[str], datasets: Mapping[str, "xr.Dataset"], workdir: Workdir
) -> Iterator[Path]:
  """Draws figures from stored results and yields the files written.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  written: list[Path] = []
  with files.disk_errors(workdir.figures):
    for name in names:
      workdir.figures.mkdir(exist_ok=True)
      for group, dataset in _told(datasets).items():
        stem = "_".join(filter(None, (name, group.strip("/"))))
        written += style.save(FIGURES[name].draw(dataset), workdir.figures / stem)
        yield from written[-len(style.FORMATS) :]
  if workdir.tensorboard.is_dir():  # the run has event files: the figures belong to them
    tensorboard.write_figures(
      workdir.tensorboard, [path for path in written if path.suffix == ".png"]
    )


def claims(analysis: str, datasets: Mapping[str, "xr.Dataset"]) -> list[Claim]:
  """Returns the statements that stored results decide; none without an analysis."""
  if analysis == "none":
    return []
  told = _told(datasets).values()
  return [row for dataset in told for row in ANALYSES[analysis].claims(dataset)]


def stored(workdir: Workdir) -> dict[str, "xr.Dataset"] | None:
  """Returns the results of a finished run; None, with a warning if damaged, otherwise."""
  if not workdir.results.exists():
    return None
  try:
    return results.read(workdir)
  except UserError as error:
    log.warning("%s; it is made anew from the checkpoints", str(error).split(";")[0])
    return None
