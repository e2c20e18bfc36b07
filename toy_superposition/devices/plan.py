"""The plan of a run: estimator, devices, slices and memory of every group, decided once.

Training, scoring, dry run and trace take a `Plan` and decide nothing of this themselves.
"""

import dataclasses
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition import estimators, evaluation, measures, optimizers, sizes
from toy_superposition.devices import memory, meshes, processes
from toy_superposition.devices.layout import fitting, layout
from toy_superposition.errors import UserError
from toy_superposition.estimators import ESTIMATORS
from toy_superposition.measures import MEASURES, Measure
from toy_superposition.theory import optimum
from toy_superposition.types import Group, Instance, Spec

if TYPE_CHECKING:
  from toy_superposition.config.resolve import ResolvedConfig

# Copies of the parameters that a segment makes beside the state that it takes and the one that it
# returns: gradients, and the state inside the loop.
WORKING_COPIES = 2


class Plan(NamedTuple):
  """How one group is trained and scored."""

  group: Group  # of all processes, its estimator fixed
  own: Group  # this process's chunk of it
  mesh: Mesh  # that trains `own`: at most one slot per instance
  slices: list[np.ndarray]  # instances of `own` that train together, as positions
  bytes_per_instance: int  # planned for an instance of a slice, on its devices together
  bytes_per_slot: int  # planned for what the instances of a slot use in turn
  # What scoring may take, which maps other numbers of rows (the history has several per instance).
  scoring_mesh: Mesh
  budget: int  # bytes of a slice on all devices together

  @property
  def shared(self) -> bool:
    """Whether devices share the features of an instance."""
    return meshes.feature_devices(self.mesh) > 1

  @property
  def slice_length(self) -> int:
    """Number of instances in a slice, repetitions of the last one included."""
    return len(self.slices[0])

  @property
  def bytes_per_slice(self) -> int:
    """Bytes planned for a slice on all devices together."""
    n_slots = self.mesh.shape[meshes.INSTANCE]
    return self.slice_length * self.bytes_per_instance + n_slots * self.bytes_per_slot

  def first_slice(self) -> "Plan":
    """Returns the plan of the first slice's instances alone."""
    first = slice(0, self.slice_length)
    instances = jax.tree.map(lambda leaf: leaf[first], self.own.instances)
    cut = self.own._replace(instances=instances, cells=self.own.cells[first])
    return self._replace(group=cut, own=cut, slices=self.slices[:1])

  def mesh_to_score(self, bytes_each: int) -> Mesh:
    """Returns the devices on which rows of `bytes_each` are scored."""
    return fitting(self.scoring_mesh, bytes_each, self.budget)


def make_plans(resolved: "ResolvedConfig", mesh: Mesh) -> list[Plan]:
  """Returns the plan of every group.

  Args:
    resolved: the checked config.
    mesh: all devices of this process on an axis of instances.

  Raises:
    UserError: the devices cannot share features as the config asks, an instance does not fit into
      memory in training, in evaluation, with its measures or in the experiment's analysis, or a
      measure does not return its row's axes.
  """
  values, devices = resolved.values, list(mesh.devices.flat)
  rows = {name: MEASURES[name] for name in resolved.measures}
  limit = memory.limit(devices, values["run.memory_gib"])
  plans = []
  for group in fix_estimators(resolved, devices[0].platform).groups:
    _check_measures(rows, group)
    plan = make_plan(
      group,
      mesh,
      budget=memory.budget(devices, values["run.memory_gib"]),
      limit=limit,
      feature_devices=values["run.feature_devices"],
    )
    available = _scoring_memory(plan, len(devices), limit)
    _check_scoring_fits(values["evaluation.method"], rows, plan.group, available)
    analysed = resolved.analysis_bytes(group.spec) + _array_bytes(group.instances)
    check_fits(group.spec, analysed, available)
    plans.append(plan)
  return plans


def fix_estimators(resolved: "ResolvedConfig", platform: str) -> "ResolvedConfig":
  """Returns the config with the estimator of every group fixed, the only place that chooses it."""
  shared = resolved.values["run.feature_devices"] > 1
  groups = tuple(estimators.fixed(group, platform, shared) for group in resolved.groups)
  return dataclasses.replace(resolved, groups=groups)


def make_plan(
  group: Group, mesh: Mesh, *, budget: int, limit: int, feature_devices: int = 0
) -> Plan:
  """Returns the plan of one group.

  Args:
    group: with its estimator fixed.
    mesh: all devices of this process on an axis of instances.
    budget: bytes that a slice may take on all devices together; more if one instance needs more.
    limit: bytes that exist on all devices together.
    feature_devices: devices that share the features of an instance; 0 for as few as its memory
      needs, which is one on CPU, whose devices share their memory anyway.

  Raises:
    UserError: `feature_devices` does not divide both devices and features, or not even one instance
      fits.
  """
  available = _mesh_of(group, mesh, budget, limit, feature_devices)
  own = processes.own(group)
  per_instance, per_slot = bytes_per_instance(own), bytes_per_slot(own)
  used, slices = layout(
    len(own.instances.index),
    available,
    bytes_per_instance=per_instance,
    bytes_per_slot=per_slot,
    budget=budget,
  )
  return Plan(group, own, used, slices, per_instance, per_slot, available, budget)


def bytes_per_instance(group: Group) -> int:
  """Returns the bytes planned for every instance of a slice, on its devices together."""
  spec, estimator = group.spec, ESTIMATORS[group.spec.estimator]
  total = 2 * sizes.state_bytes(spec) + WORKING_COPIES * sizes.params_bytes(spec)
  total += _array_bytes(group.instances)
  if optimizers.searches(spec.optimizer):
    total += optimum.descent_bytes(n_features=spec.n_features, n_hidden=spec.n_hidden)
    total += estimator.working_bytes(spec, group.instances)  # of the loss that it searches
  return total if estimator.one_by_one else total + estimator.working_bytes(spec, group.instances)


def bytes_per_slot(group: Group) -> int:
  """Returns the bytes planned for what the instances in one slot use in turn."""
  estimator = ESTIMATORS[group.spec.estimator]
  return estimator.working_bytes(group.spec, group.instances) if estimator.one_by_one else 0


def _array_bytes(instances: Instance) -> int:
  """Returns the bytes of one instance's arrays, such as densities; single numbers do not count."""
  return sum(leaf[0].nbytes for leaf in jax.tree.leaves(instances) if np.ndim(leaf) > 1)


def _mesh_of(group: Group, mesh: Mesh, budget: int, limit: int, feature_devices: int) -> Mesh:
  """Returns the devices that a group may use; arguments and errors are those of `make_plan`."""
  devices = list(mesh.devices.flat)
  n_devices, n_features = len(devices), group.spec.n_features
  widths = [k for k in range(1, n_devices + 1) if n_devices % k == n_features % k == 0]
  if feature_devices and feature_devices not in widths:
    raise UserError(
      f"config.run.feature_devices={feature_devices}: {n_devices} device(s) cannot share "
      f"{n_features} features so; "
      f"allowed: {', '.join(map(str, widths))}, or 0 for as few as memory needs"
    )
  one_memory = memory.is_shared(devices)
  if feature_devices or one_memory:
    widths = [feature_devices or 1]
  taken = bytes_per_instance(group) + bytes_per_slot(group)
  # The share of all memory that a slot of each width has.
  shares = [1.0 if one_memory else width / n_devices for width in widths]
  if taken > shares[-1] * limit:
    owner = (
      "of memory (config.run.memory_gib, or the machine's)"
      if one_memory
      else f"on the {widths[-1]} device(s) that can share it"
    )
    raise UserError(
      f"config.model.n_features={n_features}, n_hidden={group.spec.n_hidden}: one instance takes "
      f"about {taken / memory.GIB:.3g} GiB in training, and there are "
      f"{shares[-1] * limit / memory.GIB:.3g} GiB {owner}"
    )
  pairs = zip(widths, shares, strict=True)
  width = next((width for width, share in pairs if taken <= share * budget), widths[-1])
  return fitting(meshes.make_mesh(devices, width), taken, budget)


def _check_measures(rows: Mapping[str, Measure], group: Group) -> None:
  """Raises UserError for a measure that does not return the axes of its row."""
  instance: Instance = jax.tree.map(
    lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), group.instances
  )
  measures.check(rows, sizes.abstract_params(group.spec), instance)


def scoring_bytes(group: Group, method: str, rows: Collection[Measure]) -> int:
  """Returns the bytes planned for evaluating and measuring one instance.

  Args:
    group: of the instance.
    method: row of EVALUATIONS.
    rows: its measures.
  """
  spec = group.spec
  given = sizes.params_bytes(spec) + _array_bytes(group.instances)
  evaluated = given + evaluation.EVALUATIONS[method].working_bytes(spec)
  return evaluated + measures.working_bytes(spec.n_features, rows)


def _scoring_memory(plan: Plan, n_devices: int, limit: int) -> int:
  """Returns the memory of a slot when its instances are scored."""
  mesh = plan.scoring_mesh
  if memory.is_shared(list(mesh.devices.flat)):
    return limit
  return limit * meshes.feature_devices(mesh) // n_devices


def check_fits(spec: Spec, taken: int, available: int) -> None:
  """Raises UserError if an experiment's analysis of one model takes more memory than there is."""
  if taken > available:
    raise UserError(
      f"config.model.n_features={spec.n_features}, n_hidden={spec.n_hidden}: the experiment's "
      f"analysis of one model takes about {taken / memory.GIB:.3g} GiB, and there are "
      f"{available / memory.GIB:.3g} GiB of memory (config.run.memory_gib, or the machine's); "
      "config.experiment=none trains without it"
    )


def _check_scoring_fits(
  method: str, rows: Mapping[str, Measure], group: Group, available: int
) -> None:
  """Raises UserError if one instance does not fit into a slot's memory when it is scored."""
  spec = group.spec
  evaluated, taken = scoring_bytes(group, method, ()), scoring_bytes(group, method, rows.values())
  if evaluated > available:
    raise UserError(
      f"config.model.n_features={spec.n_features}, n_hidden={spec.n_hidden}: evaluating one "
      f"instance (config.evaluation.method={method!r}) takes about "
      f"{evaluated / memory.GIB:.3g} GiB, and there are {available / memory.GIB:.3g} GiB of memory "
      "(config.run.memory_gib, or the machine's)"
    )
  if taken > available:
    pairwise = [name for name, row in rows.items() if row.pairwise]
    raise UserError(
      f"config.measures: {', '.join(pairwise)} of all pairs of {spec.n_features} features take "
      f"{(taken - evaluated) / memory.GIB:.3g} GiB, and there are "
      f"{(available - evaluated) / memory.GIB:.3g} GiB; leave them out"
    )
