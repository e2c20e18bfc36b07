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

from toy_superposition import (
  estimators,
  evaluation,
  interrupts,
  placement,
  problem,
  processes,
  streams,
  train,
  unroll,
)
from toy_superposition.analyses import ANALYSES
from toy_superposition.analyses.analysis import Claim
from toy_superposition.config import Experiment
from toy_superposition.errors import UserError
from toy_superposition.figures import FIGURES, style
from toy_superposition.measures import MEASURES, measure, working_bytes
from toy_superposition.measures import check as check_measures
from toy_superposition.progress import Progress
from toy_superposition.records import files, history, metrics, results, tensorboard
from toy_superposition.records.ledger import Ledger, Memory
from toy_superposition.records.workdir import Workdir
from toy_superposition.theory import expected_loss
from toy_superposition.types import Group, Instance, Params, TrainState

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
    UserError: the disk is full or cannot be written; or a measure is not what its row says.
  """
  values = experiment.values
  budget = _budget(experiment, mesh)
  for group in experiment.groups:  # before any of them is trained
    rows = {name: MEASURES[name] for name in experiment.measures}
    check_measures(rows, group.spec.n_hidden, group.spec.n_features)
  found, writer = [], None
  if workdir and processes.is_first():
    events = workdir.tensorboard if values["run.tensorboard"] else None
    writer = metrics.Metrics(workdir.metrics, events)
  try:
    for i, group in enumerate(experiment.groups):
      ledger = Ledger(workdir, i, writer) if workdir else Memory()
      state = _train(experiment, i, ledger, mesh, budget)
      outcome = _judge(experiment, group, state, mesh, budget)
      found.append(outcome | _judge_history(experiment, group, state, ledger, mesh, budget))
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
  if workdir:
    results.save(workdir, datasets)
  return datasets


def _budget(experiment: Experiment, mesh: Mesh) -> int:
  gibibytes = experiment.values["run.memory_gib"]
  return placement.memory_budget(list(mesh.devices.flat), gibibytes)


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
    progress = Progress(label, step, group.spec.steps, n_instances)
    saved = time.monotonic()
    with contextlib.closing(progress), interrupts.deferred() as stop:
      for part in train.run(
        one,
        processes.own(estimators.settled(group, mesh.devices.flat[0].platform)),
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


def _evaluate(
  experiment: Experiment,
  group: Group,
  params: Params,
  instances: Instance,
  mesh: Mesh,
  budget: int,
  measures: Sequence[str],
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
  """Returns the feature losses and measures of parameters with a leading axis, on the host."""
  values, one = experiment.values, problem.make(group.spec)

  def judge(operands):
    params, instances = operands
    feature_loss = evaluation.evaluate(
      one, params, instances, values["evaluation.method"], values["evaluation.n_samples"]
    )
    return feature_loss, measure(params, measures)

  exact = values["evaluation.method"] == "exact"
  each = placement.parameter_bytes(group.spec)
  each += working_bytes(group.spec.n_features, [MEASURES[name] for name in measures])
  each += (
    expected_loss.working_bytes(group.spec.n_features)
    if exact
    else placement.batch_bytes(group.spec, evaluation.BATCH_SIZE)
  )
  judged = placement.map_slices(
    judge,
    processes.own_rows((params, instances)),
    mesh=mesh,
    bytes_each=each,
    budget=budget,
    cpu_options=unroll.CPU_OPTIONS if exact else {},
  )
  return processes.whole(judged, len(instances.index))


def _judge(
  experiment: Experiment, group: Group, state: TrainState, mesh: Mesh, budget: int
) -> dict[str, np.ndarray]:
  """Returns the results' variables of one trained group."""
  feature_loss, measured = _evaluate(
    experiment, group, state.params, group.instances, mesh, budget, experiment.measures
  )
  leaves = [feature_loss, *jax.tree.leaves(state.params)]
  finite = np.all([np.isfinite(x).reshape(len(x), -1).all(axis=1) for x in leaves], axis=0)
  if not finite.all():
    log.warning("%d of %d instances are not finite", int((~finite).sum()), len(finite))
  return {
    **vars(state.params),
    "feature_loss": feature_loss,
    "loss_sum": feature_loss.sum(axis=1),
    "loss_mean": feature_loss.mean(axis=1),
    "finite": finite.astype(np.int8),
    "feature_density": group.instances.density,
    "feature_importance": group.instances.importance,
    "peak_learning_rate": group.instances.learning_rate,
    **measured,
  }


def _judge_history(
  experiment: Experiment,
  group: Group,
  state: TrainState,
  ledger: Ledger | Memory,
  mesh: Mesh,
  budget: int,
) -> dict[str, np.ndarray]:
  """Returns the parameters kept during one group's training, and their losses."""
  values = experiment.values
  steps = history.steps(group.spec.steps, values["history.num"], values["history.scale"])
  if not steps:
    return {}
  # The first process wrote them, where the others may not see them.
  kept = [
    ledger.kept(step, state.params) if processes.is_first() else state.params for step in steps
  ]
  params = processes.from_first(jax.tree.map(lambda *leaves: np.stack(leaves, axis=1), *kept))
  # Every step of every instance is a row by itself.
  rows = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), params)
  instances = jax.tree.map(lambda leaf: np.repeat(leaf, len(steps), axis=0), group.instances)
  feature_loss, _ = _evaluate(experiment, group, rows, instances, mesh, budget, ())
  total = feature_loss.sum if group.spec.reduction == "sum" else feature_loss.mean
  return {f"history_{name}": leaf for name, leaf in vars(params).items()} | {
    "history_loss": total(axis=1).reshape(-1, len(steps))
  }


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
      for group, dataset in datasets.items():
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
  return [row for dataset in datasets.values() for row in ANALYSES[analysis].claims(dataset)]


def stored(workdir: Workdir) -> dict[str, "xr.Dataset"] | None:
  """Returns the results of a finished run; None, with a warning if damaged, otherwise."""
  if not workdir.results.exists():
    return None
  try:
    return results.read(workdir)
  except UserError as error:
    log.warning("%s; it is made anew from the checkpoints", str(error).split(";")[0])
    return None
