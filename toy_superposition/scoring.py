"""What the results say of trained models: losses, measures, and losses during training."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition import evaluation, problem, scalarize
from toy_superposition.config.resolve import Experiment
from toy_superposition.devices import mapping, memory, meshes, processes
from toy_superposition.estimators import estimator
from toy_superposition.measures import MEASURES, measure, working_bytes
from toy_superposition.records import history
from toy_superposition.records.recorder import Ledger, Memory
from toy_superposition.theory import expected_loss
from toy_superposition.types import Group, Instance, Params, TrainState

log = logging.getLogger(__name__)


class Judge(NamedTuple):
  """One group of an experiment, and where it is judged."""

  experiment: Experiment
  group: Group
  mesh: Mesh
  budget: int  # bytes

  def trained(self, state: TrainState) -> dict[str, np.ndarray]:
    """Returns the results' variables of the trained group."""
    instances = self.group.instances
    feature_loss, measured = self._evaluate(state.params, instances, self.experiment.measures)
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

  def history(self, state: TrainState, ledger: Ledger | Memory) -> dict[str, np.ndarray]:
    """Returns the parameters kept during the group's training, and their losses; nothing if none
    were to be kept."""
    values, spec = self.experiment.values, self.group.spec
    steps = history.steps(spec.steps, values["history.num"], values["history.scale"])
    if not steps:
      return {}
    # The first process wrote them, where the others may not see them.
    kept = [
      ledger.kept(step, state.params) if processes.is_first() else state.params for step in steps
    ]
    params = processes.from_first(jax.tree.map(lambda *leaves: np.stack(leaves, axis=1), *kept))
    # Every step of every instance is a row by itself.
    rows = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), params)
    instances = jax.tree.map(lambda leaf: np.repeat(leaf, len(steps), axis=0), self.group.instances)
    feature_loss, _ = self._evaluate(rows, instances, ())
    total = feature_loss.sum if spec.reduction == "sum" else feature_loss.mean
    return {f"history_{name}": leaf for name, leaf in vars(params).items()} | {
      "history_loss": total(axis=1).reshape(-1, len(steps))
    }

  def _evaluate(
    self, params: Params, instances: Instance, measures: Sequence[str]
  ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns the feature losses and measures of parameters with a leading axis, on the host."""
    values, spec = self.experiment.values, self.group.spec
    one = problem.make(spec, shared=meshes.feature_devices(self.mesh) > 1)

    def judge(operands):
      params, instances = operands
      feature_loss = evaluation.evaluate(
        one, params, instances, values["evaluation.method"], values["evaluation.n_samples"]
      )
      return feature_loss, measure(params, measures)

    exact = values["evaluation.method"] == "exact"
    each = memory.parameter_bytes(spec)
    each += working_bytes(spec.n_features, [MEASURES[name] for name in measures])
    each += (
      expected_loss.working_bytes(spec.n_features)
      if exact
      else estimator.batch_bytes(spec, evaluation.BATCH_SIZE)
    )
    mesh = self.mesh
    if memory.shares_memory(list(mesh.devices.flat)):  # no more places at once than fit
      mesh = meshes.at_most(mesh, max(1, self.budget // each))
    judged = mapping.map_slices(
      judge,
      processes.own_rows((params, instances)),
      mesh=mesh,
      bytes_each=each,
      budget=self.budget,
      cpu_options=scalarize.CPU_OPTIONS if exact else {},
    )
    return processes.whole(judged, len(instances.index))
