"""What follows training, timed before a run on models that are not trained.

Every function of models is computed for its first slice, whose results stand for all: scoring, the
experiment's theory and its figure then take the time that they will take, and none of the numbers
means anything.
"""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition import evaluation, experiments, problem, runner, streams, train
from toy_superposition.config.resolve import ResolvedConfig
from toy_superposition.devices import mapping, meshes
from toy_superposition.devices.plan import Plan
from toy_superposition.records.recorder import MemoryRecorder
from toy_superposition.scoring import Scorer
from toy_superposition.types import Params, Spec, TrainState


class Stage(NamedTuple):
  """The time of one stage of a run."""

  seconds: float  # without compilation
  compile_seconds: float
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


def score(resolved: ResolvedConfig, plan: Plan, seconds: float) -> tuple[Stage, dict[str, Any]]:
  """Returns the time of scoring a group, and variables of results such as its own.

  One batch of samples stands for all.

  Args:
    resolved: what would be run.
    plan: of the group.
    seconds: after which no function is begun.
  """
  state, n_batches = _initial(plan), _n_batches(resolved, plan.group.spec)
  values = dict(resolved.values)
  values["evaluation.n_samples"] = -(-values["evaluation.n_samples"] // n_batches)
  scorer = Scorer(dataclasses.replace(resolved, values=values), plan)
  recorder = _Untrained(state.params)
  trained, stage = _timed(lambda: scorer.trained(state), seconds)
  history, of_history = _timed(lambda: scorer.history(state, recorder), seconds)
  if n_batches > 1 and stage.timed:
    _, losses = _timed(lambda: scorer.losses(state), seconds)
    stage = stage._replace(seconds=stage.seconds + (n_batches - 1) * losses.seconds)
  if history:
    stage = stage.plus(of_history._replace(seconds=n_batches * of_history.seconds))
  return stage, trained | history | runner.wall_times(resolved, plan, recorder)


def _initial(plan: Plan) -> TrainState:
  """Returns states of all models of a group: those of the first slice, over and over."""
  first, root = plan.first_slice(), streams.root(plan.group.spec.seed)
  of_slice = train.first_state(problem.make(plan.group.spec), first)
  state = of_slice(meshes.place(first.own.instances, first.slices[0], first.mesh), root)
  positions = np.arange(len(plan.group.cells)) % first.slice_length
  return jax.tree.map(lambda leaf: np.asarray(leaf)[positions], state)


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
) -> tuple[Stage, Stage]:
  """Returns the time of an experiment's theory and analysis, and of its figure.

  Args:
    resolved: what would be run.
    plans: of its groups.
    outcomes: variables of the results of each group, as `score` returns them.
    mesh: all devices.
    seconds: after which no function is begun.
  """
  if resolved.experiment == "none":
    return NOTHING, NOTHING
  with _quiet():
    try:
      datasets, stage = _timed(
        lambda: runner.finish(resolved, outcomes, runner.estimators(plans), None, mesh), seconds
      )
    except Exception:  # whatever an analysis makes of models that are not trained
      return SKIPPED, SKIPPED
    try:
      _, figures = _timed(lambda: _draw(resolved.experiment, datasets), seconds)
    except Exception:
      figures = SKIPPED
  return stage, figures


def _draw(name: str, datasets: Any) -> None:
  """Draws an experiment's figures as files, and drops them."""
  from toy_superposition.drawing import style

  figure = experiments.get(name).figure
  if figure is None:
    return
  for dataset in runner.to_interpret(datasets).values():
    drawn = figure(dataset)
    for suffix in style.FORMATS:
      style.content(drawn, suffix)


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
