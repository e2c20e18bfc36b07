"""Scores of trained models: losses, measures, and losses during training."""

import functools
import logging
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from toy_superposition import evaluation, problem, watchdog
from toy_superposition.config.resolve import ResolvedConfig
from toy_superposition.devices import mapping, meshes, processes
from toy_superposition.devices.plan import Plan, scoring_bytes
from toy_superposition.measures import MEASURES, measure
from toy_superposition.records import history
from toy_superposition.records.recorder import Recorder
from toy_superposition.types import Instance, Params, TrainState

log = logging.getLogger(__name__)


class Scorer(NamedTuple):
  """Scores one group of a run."""

  resolved: ResolvedConfig
  plan: Plan  # of the group

  def trained(self, state: TrainState) -> dict[str, np.ndarray]:
    """Returns the results' variables of the trained group."""
    instances = self.plan.group.instances
    feature_loss, measured = self._score(state.params, instances, self.resolved.measures)
    leaves = [feature_loss, *jax.tree.leaves(state.params)]
    finite = np.all([np.isfinite(x).reshape(len(x), -1).all(axis=1) for x in leaves], axis=0)
    if not finite.all():
      log.warning("%d of %d instances are not finite", int((~finite).sum()), len(finite))
    of_features = problem.outputs_are_features(self.plan.group.spec)
    return {
      **vars(state.params),
      **(instances.given or {}),
      "feature_loss" if of_features else "output_loss": feature_loss,
      "loss_sum": feature_loss.sum(axis=1),
      "loss_mean": feature_loss.mean(axis=1),
      "finite": finite.astype(np.int8),
      "feature_density": instances.density,
      "feature_importance": instances.importance,
      "peak_learning_rate": instances.learning_rate,
      **measured,
    }

  def losses(self, state: TrainState) -> np.ndarray:
    """Returns the feature losses of the group's models alone."""
    return self._score(state.params, self.plan.group.instances, ())[0]

  def history(self, state: TrainState, recorder: Recorder) -> dict[str, np.ndarray]:
    """Returns the recorded parameters of the group's training with their losses.

    Nothing without a history. `state` is one of the group's, for the form of its parameters.
    """
    values, spec = self.resolved.values, self.plan.group.spec
    steps = history.steps(spec.steps, values["history.num"], values["history.scale"])
    if not steps:
      return {}
    params = _recorded(steps, state.params, recorder)
    # Every step of every instance is a row of its own, and the steps share the instance.
    rows = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), params)
    feature_loss, _ = self._score(rows, self.plan.group.instances, ())
    total = feature_loss.sum if spec.reduction == "sum" else feature_loss.mean
    return {f"history_{name}": leaf for name, leaf in vars(params).items()} | {
      "history_loss": total(axis=1).reshape(-1, len(steps))
    }

  def _score(
    self, params: Params, instances: Instance, measures: Sequence[str]
  ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns the feature losses and measures of rows with a leading axis, on the host.

    Instances may have fewer rows than parameters, as `meshes.rows` takes them.
    """
    spec, values = self.plan.group.spec, self.resolved.values
    method, n_samples = values["evaluation.method"], values["evaluation.n_samples"]
    group_problem = problem.make(spec, shared=self.plan.shared)

    def losses(rows: tuple[Params, Instance]):
      params, instances = rows
      return evaluation.evaluate(group_problem, params, instances, method, n_samples)

    def measured_by(names: Sequence[str], rows: tuple[Params, Instance]):
      params, instances = rows
      return measure(params, instances, names)

    def score(rows: tuple[Params, Instance]):
      return losses(rows), measured_by(measures, rows)

    rows = processes.own_rows((params, instances))
    n_rows = meshes.length(params)
    bytes_each = scoring_bytes(self.plan.group, method, [MEASURES[name] for name in measures])
    mesh, budget = self.plan.mesh_to_score(bytes_each), self.plan.budget
    options = evaluation.EVALUATIONS[method].cpu_options
    what = f"{self.resolved.name}: scoring {n_rows} instances"

    def apart(function, **keywords):
      return mapping.map_slices(
        function, rows, mesh=mesh, bytes_each=bytes_each, budget=budget, **keywords
      )

    with watchdog.watched(what) as watch:
      together = mapping.lower(score, rows, mesh=mesh, bytes_each=bytes_each, budget=budget)
      if not together.must_be_alone:
        scores = together.run(rows, options)
      else:  # one after another, so that whatever can use all devices does
        measured: dict[str, np.ndarray] = {}
        scores = apart(losses, cpu_options=options), measured
        for name in measures:
          watch(f"{what} by measure {name}")
          measured |= apart(functools.partial(measured_by, [name]))
    return processes.gather(scores, n_rows)


def _recorded(steps: Sequence[int], like: Params, recorder: Recorder) -> Params:
  """Returns the recorded parameters of a group, with a second axis of steps.

  The first process wrote them, perhaps to a disk that the others do not have. Every step is copied
  into its place as soon as it is read: the history is held once.
  """
  params = jax.tree.map(
    lambda leaf: np.empty((len(leaf), len(steps), *leaf.shape[1:]), leaf.dtype), like
  )
  if processes.is_first():
    for k, step in enumerate(steps):
      for whole, leaf in zip(
        jax.tree.leaves(params), jax.tree.leaves(recorder.history(step, like)), strict=True
      ):
        whole[:, k] = leaf
  return processes.from_first(params)
