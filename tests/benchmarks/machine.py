"""The machine that a benchmark runs on, and who else uses it."""

import importlib.metadata
import os
import platform
import time
from pathlib import Path
from typing import Any

import jax

from toy_superposition.devices import setup
from toy_superposition.errors import UserError

INSTRUCTIONS = {"avx2": ("avx2",), "avx512": ("avx512f",), "amx": ("amx_tile", "amx_bf16")}
QUIET = 0.05  # share of the cores' time that others may take
LOOK_SECONDS = 0.3  # at what others do


def configure(platform_name: str | None = None) -> dict[str, Any]:
  """Sets jax up as the main job does and returns what the numbers depend on.

  Args:
    platform_name: cpu, gpu or tpu, whose devices are to be used; JAX chooses if it is None.

  Raises:
    UserError: there is no such device.
  """
  if platform_name == "cpu":  # JAX by itself prefers an accelerator
    jax.config.update("jax_platforms", "cpu")
  setup.configure(n_cores())
  cpu, present = _cpu()
  devices = jax.local_devices()
  if platform_name not in (None, devices[0].platform):
    raise UserError(f"--platform={platform_name}: JAX finds {devices[0].platform} devices only")
  versions = {name: _version(name) for name in ("jax", "jaxlib", "numpy", "optax", "torch")}
  return {
    "cpu": cpu,
    "cores": n_cores(),
    "instructions": present,
    "devices": f"{len(devices)} {devices[0].device_kind}",
    "platform": devices[0].platform,
    "python": platform.python_version(),
    "versions": versions,
    "malloc": os.environ.get("GLIBC_TUNABLES", ""),
  }


def n_cores() -> int:
  """Returns the cores that this process may use."""
  if hasattr(os, "sched_getaffinity"):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


class Others:
  """The share of the cores' time that other programs take; 0 where it is not known."""

  def __init__(self) -> None:
    """Starts now."""
    self._started, self._busy = time.perf_counter(), _busy_of_others()

  def share(self) -> float:
    """Returns the share since the start."""
    seconds = (time.perf_counter() - self._started) * (os.cpu_count() or 1)
    return max(0.0, (_busy_of_others() - self._busy) / seconds)


class Patience:
  """Waits for other programs to leave the cores alone, for so many seconds in all."""

  def __init__(self, seconds: float):
    """Starts with all of it."""
    self._left = seconds

  def wait(self, share: float) -> None:
    """Returns when others take less than the share, or when no patience is left."""
    while self._left > 0:
      others, started = Others(), time.perf_counter()
      time.sleep(LOOK_SECONDS)
      if others.share() < share:
        return
      self._left -= time.perf_counter() - started


def _busy_of_others() -> float:
  """Returns the seconds that the cores have worked for others; constant where not known."""
  try:
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
  except OSError:
    return 0.0
  user, nice, system, _, _, irq, softirq, steal = map(int, fields)
  ticks = user + nice + system + irq + softirq + steal
  return ticks / os.sysconf("SC_CLK_TCK") - time.process_time()


def _cpu() -> tuple[str, dict[str, bool]]:
  try:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
  except OSError:
    lines = []
  fields = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
  flags = set(fields.get("flags", "").split())
  present = {name: all(x in flags for x in needed) for name, needed in INSTRUCTIONS.items()}
  return fields.get("model name", platform.processor() or "unknown"), present


def _version(package: str) -> str | None:
  try:
    return importlib.metadata.version(package)
  except importlib.metadata.PackageNotFoundError:
    return None
