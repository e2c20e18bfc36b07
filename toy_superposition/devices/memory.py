"""Memory: how much there is, what a slice may take, how instances are cut into slices."""

import os
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from toy_superposition.models import MODELS
from toy_superposition.types import Spec

GIB = 2**30


# Share of the memory that training may plan for when the config names no budget: of an
# accelerator's own, and of the machine's, which other programs use too.
DEVICE_SHARE, MACHINE_SHARE = 0.5, 0.25


def parameter_bytes(spec: Spec) -> int:
  """Returns the bytes of one instance's parameters."""
  n_matrices = 1 if MODELS[spec.model].params == "tied" else 2
  return 4 * spec.n_features * (n_matrices * spec.n_hidden + 1)


def memory_budget(devices: Sequence[jax.Device], gibibytes: float) -> int:
  """Returns the bytes that one slice may take on all devices together; 0 GiB means automatic.

  Automatic is half of the memory of accelerators, and a quarter of the machine's where the
  devices are CPUs, which share it. What happens to be free does not enter: a run that is continued
  is sliced as it was, and so repeats its bits.
  """
  if gibibytes > 0:
    return int(gibibytes * GIB)
  if shares_memory(devices):
    return int(MACHINE_SHARE * _machine_bytes())
  return int(DEVICE_SHARE * _device_bytes(devices))


def shares_memory(devices: Sequence[jax.Device]) -> bool:
  """Whether the devices are CPUs, whose memory is the machine's."""
  return devices[0].platform == "cpu"


def memory_limit(devices: Sequence[jax.Device], gibibytes: float) -> int:
  """Returns the bytes that there are on all devices together, or that the config allows."""
  if gibibytes > 0:
    return int(gibibytes * GIB)
  return _machine_bytes() if shares_memory(devices) else _device_bytes(devices)


def _device_bytes(devices: Sequence[jax.Device]) -> int:
  """Returns the memory of accelerators, all as large as the smallest."""
  limits = [(device.memory_stats() or {}).get("bytes_limit", 8 * GIB) for device in devices]
  return min(limits) * len(devices)


def _machine_bytes() -> int:
  """Returns the machine's memory, or the container's limit where there is one."""
  total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
  try:
    limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
  except OSError:
    return total
  return min(total, int(limit)) if limit.isdigit() else total


def slices(n_instances: int, n_places: int, bytes_each: int, budget: int) -> list[np.ndarray]:
  """Returns the instances of each slice as positions; all slices have the same length.

  The length is a multiple of the number of places for an instance, devices or groups of them, and
  fits the budget where one instance for each place does. The last slice is filled by repeating the
  last instance: the first `n_instances` of the concatenated slices are the instances in order, the
  rest is to be dropped.
  """
  most = max(1, budget // bytes_each // n_places) * n_places
  n_slices = -(-n_instances // most)
  even = -(-n_instances // n_slices)
  length = -(-even // n_places) * n_places
  starts = range(0, n_instances, length)
  return [np.minimum(np.arange(start, start + length), n_instances - 1) for start in starts]
