"""What follows training, timed before a run on models that are not trained.

Every function of models is computed for its first slice, whose results stand for all: scoring, the
experiment's theory, its figure and the page then take the time that they will take, and none of the
numbers means anything. What a run writes is written to a temporary folder.
"""

import contextlib
import dataclasses
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition import evaluation, problem, runner, segments, streams, train
from toy_superposition.config.resolve import ResolvedConfig
from toy_superposition.devices import mapping, meshes
from toy_superposition.devices.plan import Plan
from toy_superposition.records import history, opening
from toy_superposition.records.metrics import Metrics
from toy_superposition.records.recorder import DiskRecorder, MemoryRecorder
from toy_superposition.records.workdir import Workdir
from toy_superposition.scoring import Scorer
from toy_superposition.types import Params, Snapshot, Spec, TrainState

LARGE = 2**28  # bytes of a run above which nothing of it is written in a rehearsal
Page = Callable[[Workdir, Any, Sequence[Any]], object]  # writes datasets and claims as a page


class Stage(NamedTuple):
  """The time of one stage of a run."""

  seconds: float  # without compilation
  compile_seconds: float  # of scoring with all that is done once for a group, such as tracing
  timed: bool = True  # otherwise no time was left, or it failed on models that are not trained

  def plus(self, other: "Stage") -> "Stage":
    """Returns the time of both."""
    return Stage(
      self.seconds + other.seconds,
      self.compile_seconds + other.compile_seconds,
      self.timed and other.timed,
    )


NOTHING = Stage(0.0, 0.0)
SKIPPED = Stage(0.0, 0.0, timed=False)


class _Untrained(MemoryRecorder):
  """A recorder in whose history every step has the same parameters."""

  def __init__(self, params: Params):
    super().__init__()
    self._params = params

  def history(self, step: int, like: Params) -> Params:
    """Returns the parameters."""
    return self._params

  def last_rate(self) -> float:
    """Returns a rate that no model had."""
    return 1.0


@contextlib.contextmanager
def folder(resolved: ResolvedConfig, n_bytes: int) -> Iterator[Workdir | None]:
  """Yields a temporary folder, opened as a run's; None for one of more than LARGE bytes."""
  if n_bytes > LARGE:
    yield None
    return
  with (
    tempfile.TemporaryDirectory(prefix="toy_superposition-") as path,
    opening.session(
      Path(path), resolved.values, resolved.identity, overwrite=False, command=[], devices=[]
    ) as workdir,
  ):
    yield workdir


def initial(plan: Plan) -> TrainState:
  """Returns states of all models of a group: those of the first slice, over and over."""
  first, root = plan.first_slice(), streams.root(plan.group.spec.seed)
  of_slice = train.first_state(problem.make(plan.group.spec), first)
  state = of_slice(meshes.place(first.own.instances, first.slices[0], first.mesh), root)
  positions = np.arange(len(plan.group.cells)) % first.slice_length
  return jax.tree.map(lambda leaf: np.asarray(leaf)[positions], state)


def score(
  resolved: ResolvedConfig, plan: Plan, state: TrainState, seconds: float
) -> tuple[Stage, dict[str, Any]]:
  """Returns the time of scoring a group, and variables of results such as its own.

  One batch of samples stands for all.

  Args:
    resolved: what would be run.
    plan: of the group.
    state: of its models, not trained.
    seconds: after which no function is begun.
  """
  n_batches = _n_batches(resolved, plan.group.spec)
  values = dict(resolved.values)
  values["evaluation.n_samples"] = -(-values["evaluation.n_samples"] // n_batches)
  scorer = Scorer(dataclasses.replace(resolved, values=values), plan)
  recorder = _Untrained(state.params)
  trained, stage = _computed(lambda: scorer.trained(state), seconds)
  of_steps, of_history = _computed(lambda: scorer.history(state, recorder), seconds)
  if n_batches > 1 and stage.timed:
    _, losses = _computed(lambda: scorer.losses(state), seconds)
    stage = stage._replace(seconds=stage.seconds + (n_batches - 1) * losses.seconds)
  if of_steps:
    stage = stage.plus(of_history._replace(seconds=n_batches * of_history.seconds))
  return stage, trained | of_steps | runner.wall_times(resolved, plan, recorder)


def recording(
  resolved: ResolvedConfig, plan: Plan, state: TrainState, workdir: Workdir | None, seconds: float
) -> Stage:
  """Returns the time of writing a group's metrics, history and checkpoints while it is trained.

  The first checkpoint, which also loads the library that writes it, is timed as compilation.

  Args:
    resolved: what would be run.
    plan: of the group.
    state: of its models.
    workdir: to write to; without one nothing is timed.
    seconds: of the group's training.
  """
  if workdir is None:
    return SKIPPED
  values, steps = resolved.values, plan.group.spec.steps
  kept = history.steps(steps, values["history.num"], values["history.scale"])
  n_lines = len(segments.log_steps(0, steps, values["run.log_every"], kept))
  recorder = DiskRecorder(workdir, "", 0, Metrics(workdir.metrics, None))
  n_models = len(plan.group.cells)
  snapshot = Snapshot(0, state, np.ones(n_models, np.float32), np.ones(n_models, bool))
  clock = [time.perf_counter()]

  def taken() -> float:
    clock.append(time.perf_counter())
    return clock[-1] - clock[-2]

  with contextlib.closing(recorder):
    recorder.latest(state)
    recorder.save(snapshot)
    first = taken()
    recorder.save(snapshot._replace(step=1))
    save = taken()
    recorder.write(snapshot, None, False)
    line = taken()
    recorder.write(snapshot, None, bool(kept))
    with_history = taken()
  n_saves = 1 + seconds // max(values["run.checkpoint_seconds"], segments.MAX_SECONDS)
  writing = n_saves * save + n_lines * line + len(kept) * max(0.0, with_history - line)
  return Stage(writing, max(0.0, first - save))


def _n_batches(resolved: ResolvedConfig, spec: Spec) -> int:
  """Returns the number of equal batches in which the losses are sampled; 1 of exact losses."""
  if resolved.values["evaluation.method"] != "sampled":
    return 1
  return -(-resolved.values["evaluation.n_samples"] // evaluation.batch_size(spec))


def theory(
  resolved: ResolvedConfig,
  plans: Sequence[Plan],
  outcomes: Sequence[dict[str, Any]],
  mesh: Mesh,
  seconds: float,
  workdir: Workdir | None,
  page: Page | None = None,
) -> tuple[Stage, Stage]:
  """Returns the time of an experiment's theory and analysis, and of its figure, claims and page.

  Args:
    resolved: what would be run.
    plans: of its groups.
    outcomes: variables of the results of each group, as `score` returns them.
    mesh: all devices.
    seconds: after which no function is begun.
    workdir: to write to; without one nothing is written, and there is no second stage.
    page: writes the page.
  """

  def finished() -> Any:
    return runner.finish(resolved, outcomes, runner.estimators(plans), workdir, mesh)

  with _quiet():
    try:
      datasets, stage = _timed(finished, seconds)
    except Exception:  # whatever an analysis makes of models that are not trained
      return SKIPPED, SKIPPED
    if workdir is None:
      return stage, SKIPPED
    try:
      _, shown = _timed(lambda: _show(resolved.experiment, datasets, workdir, page), seconds)
    except Exception:  # whatever a figure or a page makes of them
      shown = SKIPPED
  return stage, shown


def _show(name: str, datasets: Any, workdir: Workdir, page: Page | None) -> None:
  """Draws an experiment's figures, decides its claims and writes the page."""
  list(runner.draw(name, datasets, workdir))
  claims: Sequence[Any] = ()
  with contextlib.suppress(Exception):  # whatever they find in models that are not trained
    claims = runner.claims(name, datasets)
  if page:
    page(workdir, datasets, claims)


def _computed(function: Callable[[], Any], seconds: float) -> tuple[Any, Stage]:
  """Returns what a function returns, and its time with all slices.

  All but the computation, such as tracing, counts as compilation: it does not grow with slices,
  samples and steps.
  """
  with mapping.rehearsed(seconds) as rehearsal:
    started = time.perf_counter()
    result = function()
    taken = time.perf_counter() - started
  computing = rehearsal.computing_seconds
  return result, Stage(
    computing + rehearsal.skipped_seconds, taken - computing, not rehearsal.untimed
  )


def _timed(function: Callable[[], Any], seconds: float) -> tuple[Any, Stage]:
  """Returns what a function returns, and its time with all slices."""
  with mapping.rehearsed(seconds) as rehearsal:
    started = time.perf_counter()
    result = function()
    taken = time.perf_counter() - started
  taken += rehearsal.skipped_seconds - rehearsal.compile_seconds
  return result, Stage(taken, rehearsal.compile_seconds, not rehearsal.untimed)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
  """Lets nothing be said of models that are not trained."""
  logger = logging.getLogger("toy_superposition")
  before = logger.level
  logger.setLevel(logging.ERROR)
  try:
    yield
  finally:
    logger.setLevel(before)
