"""Where instances live: devices, sharding by instance and feature, slices that fit in memory."""

import logging
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from toy_superposition.models import PARAM_DIMS

log = logging.getLogger(__name__)
INSTANCE, FEATURE = "instance", "feature"  # the axes of a mesh
# Trailing axes of what an instance is made of, wherever an optimizer keeps the same.
DIMS = PARAM_DIMS | {"density": (FEATURE,), "importance": (FEATURE,)}


def make_mesh(devices: Sequence[jax.Device], feature_devices: int = 1) -> Mesh:
  """Returns a mesh whose axis is `instance`, and `feature` beside it if devices share instances.

  `feature_devices` neighbours share the features of the same instances; their number divides that
  of the devices.
  """
  shape: tuple[int, ...] = (len(devices),)
  if feature_devices > 1:
    shape = (len(devices) // feature_devices, feature_devices)
  return jax.make_mesh(
    shape,
    (INSTANCE, FEATURE)[: len(shape)],
    axis_types=(AxisType.Auto,) * len(shape),
    devices=list(devices),
  )


def feature_devices(mesh: Mesh) -> int:
  """Returns how many devices of the mesh share the features of an instance."""
  return int(mesh.shape.get(FEATURE, 1))


def at_most(mesh: Mesh, n_instances: int) -> Mesh:
  """Returns a mesh of no more places than instances: another device would train a copy, and on
  CPU take the cores that the others' matrix products can use."""
  width = feature_devices(mesh)
  return make_mesh(list(mesh.devices.flat)[: n_instances * width], width)


def sharding(mesh: Mesh) -> NamedSharding:
  """Returns the sharding of a leaf with a leading instance axis, over nothing else."""
  return NamedSharding(mesh, PartitionSpec(INSTANCE))


def shardings(mesh: Mesh, tree: Any) -> Any:
  """Returns the sharding of every leaf with a leading instance axis, and of its features.

  Which of its trailing axes are features follows from the name of the field that it is in; what an
  optimizer keeps of a parameter has its name.
  """

  def of_leaf(path: tuple, leaf: Any) -> NamedSharding:
    dims = DIMS.get(getattr(path[-1], "name", ""), ()) if path else ()
    if feature_devices(mesh) == 1 or FEATURE not in dims:
      return sharding(mesh)
    between = (None,) * (np.ndim(leaf) - 1 - len(dims))
    trailing = (dim if dim == FEATURE else None for dim in dims)
    return NamedSharding(mesh, PartitionSpec(INSTANCE, *between, *trailing))

  return jax.tree_util.tree_map_with_path(of_leaf, tree)


def place(tree: Any, part: np.ndarray, mesh: Mesh) -> Any:
  """Returns the given positions of every leaf's leading axis, spread over the mesh."""
  return spread(jax.tree.map(lambda leaf: np.asarray(leaf)[part], tree), mesh)


def spread(tree: Any, mesh: Mesh) -> Any:
  """Returns leaves with a leading instance axis on the mesh; those that are there stay."""
  return jax.device_put(tree, shardings(mesh, tree))


def gather(parts: Sequence[Any], n_instances: int) -> Any:
  """Returns the slices' trees as one on the host, without the padding."""

  def join(*leaves):
    whole = np.concatenate(leaves) if len(leaves) > 1 else np.asarray(leaves[0])
    return whole[:n_instances]

  return jax.tree.map(join, *parts)
