"""How a group is laid out: which devices share an instance, how many train at once, what fits."""

import functools

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition import optimizers, problem, streams
from toy_superposition.devices import memory, meshes
from toy_superposition.errors import UserError
from toy_superposition.estimators import ESTIMATORS, choose
from toy_superposition.estimators.estimator import Estimator
from toy_superposition.theory import optimum
from toy_superposition.types import Group, Instance, Spec

# Copies of the parameters that a segment makes beside the state that it takes and the one that it
# returns: gradients, and the state inside the loop.
WORKING_COPIES = 2


def instance_bytes(group: Group, mesh: Mesh) -> int:
  """Returns the bytes that every instance of a slice is planned to take on its devices together."""
  spec, estimator = group.spec, _estimator(group, mesh)
  each = 2 * state_bytes(spec) + WORKING_COPIES * memory.parameter_bytes(spec)
  each += 2 * 4 * spec.n_features  # densities and importances
  if spec.optimizer in optimizers.SEARCHING:
    each += optimum.problem_bytes(spec.n_features, spec.n_hidden, n_starts=1)
  return each if estimator.one_by_one else each + estimator.working_bytes(spec, group.instances)


def shared_bytes(group: Group, mesh: Mesh) -> int:
  """Returns the bytes that the instances in one place are planned to take in turn."""
  estimator = _estimator(group, mesh)
  return estimator.working_bytes(group.spec, group.instances) if estimator.one_by_one else 0


def _estimator(group: Group, mesh: Mesh) -> Estimator:
  shared = meshes.feature_devices(mesh) > 1
  platform = mesh.devices.flat[0].platform
  return ESTIMATORS[choose(group.spec, group.instances, platform, shared=shared)]


@functools.cache
def state_bytes(spec: Spec) -> int:
  """Returns the bytes of one instance's parameters and of what its optimizer keeps."""
  one = problem.make(spec)

  def state():
    zeros = np.zeros(spec.n_features, np.float32)
    instance = Instance(index=0, density=zeros, importance=zeros, learning_rate=np.float32(0))
    params = one.init(streams.root(spec.seed))
    return params, one.optimizer(instance).init(params)

  leaves = jax.tree.leaves(jax.eval_shape(state))
  return sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)


def slices(group: Group, mesh: Mesh, budget: int) -> list[np.ndarray]:
  """Returns the instances that train together as positions, slice by slice.

  `mesh` has no more places than there are instances, and one slice may take `budget` bytes on all
  of it.
  """
  n_places = mesh.shape[meshes.INSTANCE]
  left = max(budget - n_places * shared_bytes(group, mesh), 0)
  n_instances = len(group.instances.index)
  return memory.slices(n_instances, n_places, instance_bytes(group, mesh), left)


def mesh_for(group: Group, devices: Mesh, budget: int, limit: int, wanted: int) -> Mesh:
  """Returns the mesh that a group trains on.

  Args:
    group: the instances.
    devices: all that there are, on an axis of instances.
    budget: bytes that a slice should take at most, on all devices together.
    limit: bytes that there are on all devices together.
    wanted: how many devices share the features of an instance; 0 for as few as its memory needs.
      Never more than one on CPU, whose devices share their memory anyway.

  Raises:
    UserError: `wanted` divides neither the devices nor the features, or not even one instance fits.
  """
  available = devices.size
  own_memory = not memory.shares_memory(list(devices.devices.flat))
  n_features = group.spec.n_features
  allowed = [k for k in range(1, available + 1) if available % k == n_features % k == 0]
  if wanted and wanted not in allowed:
    raise UserError(
      f"config.run.feature_devices={wanted}: {available} device(s) cannot share {n_features} "
      f"features so; allowed: {', '.join(map(str, allowed))}, or 0 for as few as memory needs"
    )
  if wanted or not own_memory:
    allowed = [wanted or 1]
  option_meshes = [meshes.make_mesh(list(devices.devices.flat), width) for width in allowed]
  takes = [instance_bytes(group, mesh) + shared_bytes(group, mesh) for mesh in option_meshes]
  # What one place has: with memories of their own, those of its devices.
  shares = [width / available if own_memory else 1.0 for width in allowed]
  options = list(zip(option_meshes, takes, shares, strict=True))
  fitting = (mesh for mesh, bytes_each, share in options if bytes_each <= share * budget)
  mesh, bytes_each, share = options[-1]
  if bytes_each > share * limit:
    raise UserError(
      f"n_features={n_features}, n_hidden={group.spec.n_hidden}: one instance takes about "
      f"{bytes_each / memory.GIB:.3g} GiB in training, and there are "
      f"{share * limit / memory.GIB:.3g} GiB {_of_what(options[-1][0], own_memory)}"
    )
  mesh = next(fitting, mesh)
  if own_memory:
    return mesh
  # Devices that share one memory: no more instances at once than fit.
  return meshes.at_most(mesh, max(1, budget // bytes_each))


def _of_what(mesh: Mesh, own_memory: bool) -> str:
  """Returns whose memory it is."""
  if not own_memory:
    return "of memory (config.run.memory_gib, or the machine's)"
  return f"on the {meshes.feature_devices(mesh)} device(s) that can share it"
