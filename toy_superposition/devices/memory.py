"""Memory: how much a run's devices have, and how much of it a slice of instances may take."""

import contextlib
import os
from collections.abc import Iterator, Sequence

import jax

from toy_superposition.devices import cgroups
from toy_superposition.errors import UserError

GIB = 2**30
EXHAUSTED = "RESOURCE_EXHAUSTED"  # as which XLA reports that there is no memory left
MISSING = "UNIMPLEMENTED"  # and that the processor lacks an operation
# Share of the memory that a slice may take if the config names no budget: of an accelerator's own,
# and of the machine's, which other programs use too.
DEVICE_SHARE, MACHINE_SHARE = 0.5, 0.25


def budget(devices: Sequence[jax.Device], gibibytes: float) -> int:
  """Returns the bytes that one slice may take on all devices together.

  Args:
    devices: of one kind.
    gibibytes: the config's `run.memory_gib`. 0 means automatic: half of the accelerators' memory,
      or a quarter of the machine's for CPU devices, which share it. Free memory does not enter: a
      resumed run has the slices that it had before, and so repeats its bits.
  """
  if gibibytes > 0:
    return int(gibibytes * GIB)
  if is_shared(devices):
    return int(MACHINE_SHARE * machine_bytes())
  return int(DEVICE_SHARE * _device_bytes(devices))


def limit(devices: Sequence[jax.Device], gibibytes: float) -> int:
  """Returns the bytes that all devices have together, or that the config allows if it is not 0."""
  if gibibytes > 0:
    return int(gibibytes * GIB)
  return machine_bytes() if is_shared(devices) else _device_bytes(devices)


def is_shared(devices: Sequence[jax.Device]) -> bool:
  """Returns whether the devices are CPUs, which share the machine's memory."""
  return devices[0].platform == "cpu"


def _device_bytes(devices: Sequence[jax.Device]) -> int:
  """Returns the memory of accelerators, all counted like the smallest."""
  limits = [(device.memory_stats() or {}).get("bytes_limit", 8 * GIB) for device in devices]
  return min(limits) * len(devices)


def machine_bytes() -> int:
  """Returns the machine's memory, or the container's limit if it is lower."""
  total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
  return min(total, cgroups.memory_bytes() or total)


def is_exhausted(error: BaseException) -> bool:
  """Returns whether XLA, jax or numpy found too little memory."""
  if isinstance(error, MemoryError):
    return True
  return isinstance(error, jax.errors.JaxRuntimeError) and EXHAUSTED in str(error)


@contextlib.contextmanager
def explained() -> Iterator[None]:
  """Turns an error about what the devices lack into one line that names what to change.

  Raises:
    UserError: the block found too little memory, or an operation that the processor lacks.
  """
  try:
    yield
  except (MemoryError, jax.errors.JaxRuntimeError) as error:
    reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    if reason.startswith(MISSING):
      raise UserError(
        f"this processor lacks an operation ({reason}); allowed: config.train.precision=float32 or "
        "another config.train.estimator"
      ) from error
    if not is_exhausted(error):
      raise
    raise UserError(
      f"out of memory ({reason}); lower config.run.memory_gib, for smaller slices of models, or "
      "config.train.batch_size"
    ) from error
