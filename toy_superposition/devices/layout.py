"""The layout of instances: which devices work on them, and which instances at a time."""

from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh

from toy_superposition.devices import memory, meshes


class Layout(NamedTuple):
  """Device slots and slices of some instances."""

  mesh: Mesh  # at most one slot per instance
  slices: list[np.ndarray]  # positions of each slice's instances; all of one length


def layout(
  n_instances: int, mesh: Mesh, *, bytes_per_instance: int, budget: int, bytes_per_slot: int = 0
) -> Layout:
  """Returns the slots and slices with which instances fit the memory budget, one per slot at least.

  Args:
    n_instances: number of instances.
    mesh: available devices; unused ones are left out.
    bytes_per_instance: that every instance of a slice takes on its devices together.
    budget: bytes that one slice may take on all devices together.
    bytes_per_slot: that the instances of one slot take in turn.
  """
  mesh = meshes.at_most(mesh, n_instances)
  n_slots = mesh.shape[meshes.INSTANCE]
  left = max(budget - n_slots * bytes_per_slot, 0)
  return Layout(mesh, slices(n_instances, n_slots, bytes_per_instance, left))


def fitting(mesh: Mesh, bytes_each: int, budget: int) -> Mesh:
  """Returns the mesh with no more slots than instances of `bytes_each` fit the budget.

  At least one slot remains. Only devices that share one memory are left out: an unused device with
  a memory of its own frees nothing for the others.
  """
  if not memory.is_shared(list(mesh.devices.flat)):
    return mesh
  return meshes.at_most(mesh, max(1, budget // bytes_each))


def slices(
  n_instances: int, n_slots: int, bytes_per_instance: int, budget: int
) -> list[np.ndarray]:
  """Returns the instances of each slice as positions; all slices have the same length.

  The length is a multiple of the number of slots. It fits the budget if one instance per slot does.
  The last slice is filled by repeating the last instance: the first `n_instances` of the
  concatenated slices are the instances in order, the rest is to be dropped.
  """
  fit = max(1, budget // bytes_per_instance // n_slots) * n_slots
  n_slices = -(-n_instances // fit)
  even = -(-n_instances // n_slices)
  length = -(-even // n_slots) * n_slots
  starts = range(0, n_instances, length)
  return [np.minimum(np.arange(start, start + length), n_instances - 1) for start in starts]
