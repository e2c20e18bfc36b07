"""Meshes of devices: axes for instances and features, and how arrays are spread over them."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from toy_superposition.models import PARAM_DIMS

INSTANCE, FEATURE = "instance", "feature"  # the axes of a mesh
# Trailing axes of an instance's arrays, by name. Optimizers name their state like the parameters.
DIMS = PARAM_DIMS | {"density": (FEATURE,), "importance": (FEATURE,)}


def make_mesh(devices: Sequence[jax.Device], feature_devices: int = 1) -> Mesh:
  """Returns a mesh with axis `instance`, and axis `feature` if devices share instances.

  A position on the instance axis is a device slot: one device, or several that share the features
  of the same instances.

  Args:
    devices: all devices of the mesh, neighbours next to each other.
    feature_devices: devices per slot; divides the number of devices.
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
  """Returns the number of devices that share the features of an instance."""
  return int(mesh.shape.get(FEATURE, 1))


def at_most(mesh: Mesh, n_instances: int) -> Mesh:
  """Returns a mesh with at most one slot per instance.

  Further devices would train duplicates and, on CPU, take cores from the others' matrix products.
  """
  width = feature_devices(mesh)
  return make_mesh(list(mesh.devices.flat)[: n_instances * width], width)


def sharding(mesh: Mesh) -> NamedSharding:
  """Returns the sharding of an array along its leading instance axis only."""
  return NamedSharding(mesh, PartitionSpec(INSTANCE))


def shardings(mesh: Mesh, tree: Any) -> Any:
  """Returns the sharding of every leaf along its leading instance axis and its features.

  The name of the field that holds a leaf decides which of its trailing axes are features; optimizer
  state has the names of the parameters that it belongs to.
  """

  def of_leaf(path: tuple, leaf: Any) -> NamedSharding:
    dims = DIMS.get(getattr(path[-1], "name", ""), ()) if path else ()
    if feature_devices(mesh) == 1 or FEATURE not in dims:
      return sharding(mesh)
    between = (None,) * (np.ndim(leaf) - 1 - len(dims))
    trailing = (dim if dim == FEATURE else None for dim in dims)
    return NamedSharding(mesh, PartitionSpec(INSTANCE, *between, *trailing))

  return jax.tree_util.tree_map_with_path(of_leaf, tree)


def length(tree: Any) -> int:
  """Returns the number of rows of a tree, the length of its longest leaves."""
  return max(len(leaf) for leaf in jax.tree.leaves(tree))


def rows(tree: Any, positions: np.ndarray) -> Any:
  """Returns the given rows of every leaf, on the host.

  A row of a leaf that is shorter than the others by a factor k is that of k rows of the tree, one
  after another: what they have in common is held once.
  """
  n_rows = length(tree)
  return jax.tree.map(lambda leaf: np.asarray(leaf)[positions // (n_rows // len(leaf))], tree)


def place(tree: Any, positions: np.ndarray, mesh: Mesh) -> Any:
  """Returns the given rows of a tree, as `rows`, spread over the mesh."""
  return spread(rows(tree, positions), mesh)


def spread(tree: Any, mesh: Mesh) -> Any:
  """Returns leaves with a leading instance axis on the mesh; those already there stay."""
  return jax.device_put(tree, shardings(mesh, tree))


def gather(slices: Sequence[Any], n_instances: int) -> Any:
  """Returns the slices' trees joined on the host, without the padding of the last slice."""

  def join(*leaves):
    joined = np.concatenate(leaves) if len(leaves) > 1 else np.asarray(leaves[0])
    return joined[:n_instances]

  return jax.tree.map(join, *slices)
