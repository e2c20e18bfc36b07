"""Scores of trained models: losses, measures, and losses during training."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from toy_superposition import evaluation, problem, sizes
from toy_superposition.config.resolve import ResolvedConfig
from toy_superposition.devices import mapping, processes
from toy_superposition.devices.plan import Plan
from toy_superposition.measures import MEASURES, measure, working_bytes
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
    return {
      **vars(state.params),
      "feature_loss": feature_loss,
      "loss_sum": feature_loss.sum(axis=1),
      "loss_mean": feature_loss.mean(axis=1),
      "finite": finite.astype(np.int8),
      "feature_density": instances.density,
      "feature_importance": instances.importance,
      "peak_learning_rate": instances.learning_rate,
      **measured,
    }

  def history(self, state: TrainState, recorder: Recorder) -> dict[str, np.ndarray]:
    """Returns the recorded parameters of the group's training with their losses.

    Nothing without a history. `state` is one of the group's, for the form of its parameters.
    """
    values, spec = self.resolved.values, self.plan.group.spec
    steps = history.steps(spec.steps, values["history.num"], values["history.scale"])
    if not steps:
      return {}
    # The first process wrote them, perhaps to a disk that the others do not have.
    recorded = [
      recorder.history(step, state.params) if processes.is_first() else state.params
      for step in steps
    ]
    params = processes.from_first(jax.tree.map(lambda *leaves: np.stack(leaves, axis=1), *recorded))
    # Every step of every instance is a row of its own.
    rows = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), params)
    instances = jax.tree.map(
      lambda leaf: np.repeat(leaf, len(steps), axis=0), self.plan.group.instances
    )
    feature_loss, _ = self._score(rows, instances, ())
    total = feature_loss.sum if spec.reduction == "sum" else feature_loss.mean
    return {f"history_{name}": leaf for name, leaf in vars(params).items()} | {
      "history_loss": total(axis=1).reshape(-1, len(steps))
    }

  def _score(
    self, params: Params, instances: Instance, measures: Sequence[str]
  ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns the feature losses and measures of rows with a leading axis, on the host."""
    spec, method = self.plan.group.spec, self.resolved.values["evaluation.method"]
    n_samples = self.resolved.values["evaluation.n_samples"]
    group_problem = problem.make(spec, shared=self.plan.shared)

    def score(operands):
      params, instances = operands
      feature_loss = evaluation.evaluate(group_problem, params, instances, method, n_samples)
      return feature_loss, measure(params, instances, measures)

    row = evaluation.EVALUATIONS[method]
    bytes_each = sizes.params_bytes(spec) + row.working_bytes(spec)
    bytes_each += working_bytes(spec.n_features, [MEASURES[name] for name in measures])
    scores = mapping.map_slices(
      score,
      processes.own_rows((params, instances)),
      mesh=self.plan.mesh_to_score(bytes_each),
      bytes_each=bytes_each,
      budget=self.plan.budget,
      cpu_options=row.cpu_options,
    )
    return processes.gather(scores, len(instances.index))
