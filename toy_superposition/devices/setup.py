"""Process-wide set-up: JAX options, the compilation cache, the devices of this process."""

import contextlib
import hashlib
import os
import platform
from pathlib import Path

import jax

from toy_superposition.errors import UserError


def configure(n_cpu_devices: int | None = None, compilation_cache: bool = False) -> None:
  """Sets process-wide JAX options; to be called before any device is touched.

  Matrix products are full float32 everywhere: the default is bfloat16 passes on TPU and TF32 on
  recent GPUs, too coarse for models this small.

  Args:
    n_cpu_devices: number of devices into which the CPU is divided.
    compilation_cache: whether compiled programs are stored in the user's cache folder, unless
      JAX_COMPILATION_CACHE_DIR names another one.
  """
  jax.config.update("jax_default_matmul_precision", "highest")
  if compilation_cache and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    with contextlib.suppress(OSError, RuntimeError):  # a cache is a convenience
      folder = cache_folder()
      folder.mkdir(parents=True, exist_ok=True)
      if os.access(folder, os.W_OK):
        jax.config.update("jax_compilation_cache_dir", str(folder))
        if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
          jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
  if n_cpu_devices is not None:
    jax.config.update("jax_num_cpu_devices", n_cpu_devices)


def cores() -> int:
  """Returns the number of processor cores that this process may use."""
  if hasattr(os, "sched_getaffinity"):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def cache_folder() -> Path:
  """Returns the folder of compiled programs, a different one for each kind of CPU.

  XLA's programs for one CPU may use instructions that another lacks, and machines of a cluster
  often share a home folder.
  """
  caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
  try:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    kind = "".join(sorted({x for x in lines if x.startswith(("model name", "flags", "Features"))}))
  except OSError:
    kind = platform.machine() + platform.processor()
  return caches / "toy_superposition" / f"xla-{hashlib.sha256(kind.encode()).hexdigest()[:12]}"


def devices(n_devices: int | None = None) -> list[jax.Device]:
  """Returns the first `n_devices` local devices, all of them by default.

  Raises:
    UserError: the number is less than one or more than exist, or jax finds no device of the
      platform that JAX_PLATFORMS names.
  """
  try:
    local = jax.local_devices()
  except (RuntimeError, AssertionError) as error:
    reason = next(iter(str(error).splitlines()), "no backend")
    raise UserError(f"no device to run on: {reason}") from error
  if n_devices is None:
    return local
  if not 1 <= n_devices <= len(local):
    raise UserError(
      f"--devices={n_devices}: this machine has {len(local)} {local[0].platform} device(s); "
      f"allowed: 1 to {len(local)}"
    )
  return local[:n_devices]
