"""Process-wide set-up: JAX options, the compilation cache, the devices of this process."""

import contextlib
import hashlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from toy_superposition.devices import cache, cgroups
from toy_superposition.errors import UserError

# Options that change numbers, or turn ordinary work into an error, with the value under which
# everything here is computed, whatever the user's environment or notebook sets.
OPTIONS: dict[str, Any] = {
  # Full float32 everywhere: the default is bfloat16 passes on TPU and TF32 on recent GPUs, too
  # coarse for models this small.
  "jax_default_matmul_precision": "highest",
  "jax_enable_x64": False,
  "jax_numpy_dtype_promotion": "standard",
  "jax_default_prng_impl": "threefry2x32",
  "jax_threefry_partitionable": True,
  "jax_random_seed_offset": 0,
  "jax_disable_jit": False,
  "jax_disable_most_optimizations": False,
  "jax_use_direct_linearize": True,
  "jax_debug_nans": False,
  "jax_debug_infs": False,
  "jax_transfer_guard": "allow",
}
# Prefixes of environment variables that choose options of JAX and of its compilers.
VARIABLES = ("JAX_", "XLA_", "LIBTPU_INIT_ARGS")
XLA_THREADS = "NPROC"  # variable from which XLA's CPU client takes the number of its threads
MAX_CPU_DEVICES = 1024  # or one per core, if there are more; XLA crashes with very many


def configure(n_cpu_devices: int, compilation_cache: bool = False) -> None:
  """Sets JAX's options for a process of this package's own; to be called before any device is used.

  Args:
    n_cpu_devices: number of devices into which the CPU is divided.
    compilation_cache: whether compiled programs are stored in the user's cache folder, unless
      JAX_COMPILATION_CACHE_DIR names another one.

  Raises:
    UserError: there are more devices than XLA can make.
  """
  for name, value in _known_options().items():
    jax.config.update(name, value)
  cache.repair()
  prepare(n_cpu_devices, compilation_cache)


def prepare(n_cpu_devices: int, compilation_cache: bool) -> None:
  """Sets up the CPU's devices and the compilation cache; arguments as those of `configure`.

  Raises:
    RuntimeError: devices were used before, and cannot be divided any more.
    UserError: there are more devices than XLA can make.
  """
  most = max(MAX_CPU_DEVICES, cores())
  if n_cpu_devices > most:
    raise UserError(f"--cpu_devices={n_cpu_devices}: allowed: 1 to {most}")
  if compilation_cache and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    with contextlib.suppress(OSError, RuntimeError):  # a cache is a convenience
      folder = cache_folder()
      folder.mkdir(parents=True, exist_ok=True)
      if os.access(folder, os.W_OK):
        jax.config.update("jax_compilation_cache_dir", str(folder))
        if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
          jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
  if cores() < visible_cores():
    os.environ.setdefault(XLA_THREADS, str(cores()))  # XLA would start a thread for each core
  jax.config.update("jax_num_cpu_devices", n_cpu_devices)


@contextlib.contextmanager
def fixed_options() -> Iterator[None]:
  """Computes the block under OPTIONS; the user's own values hold again after it."""
  with contextlib.ExitStack() as stack:
    for name, value in _known_options().items():
      # JAX's own context managers take precedence over what a surrounding one has set.
      scope = getattr(jax, name.removeprefix("jax_"), None)
      stack.enter_context(_updated(name, value) if scope is None else scope(value))
    stack.enter_context(cache.repaired())
    yield


@contextlib.contextmanager
def _updated(name: str, value: Any) -> Iterator[None]:
  before = jax.config.values[name]
  jax.config.update(name, value)
  try:
    yield
  finally:
    jax.config.update(name, before)


def _known_options() -> dict[str, Any]:
  """Returns the part of OPTIONS that this version of JAX has."""
  return {name: value for name, value in OPTIONS.items() if name in jax.config.values}


def options() -> dict[str, Any]:
  """Returns what differs from JAX's defaults, to be recorded with a run.

  They are the options that this package sets, and the environment variables that set options of
  JAX and of its compilers: those in OPTIONS have no effect, others such as XLA_FLAGS may have one.
  """
  given = {name: value for name, value in os.environ.items() if name.startswith(VARIABLES)}
  return {"jax_default_matmul_precision": OPTIONS["jax_default_matmul_precision"], **given}


def cores() -> int:
  """Returns the number of processor cores that this process may use.

  A container's quota of processor time counts as the cores that it amounts to, not the host's.
  """
  visible = visible_cores()
  return min(visible, cgroups.cores() or visible)


def visible_cores() -> int:
  """Returns the number of processor cores that this process may run on, whatever its quota."""
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
    reason = next(iter(str(error).splitlines()), "there is no device of this kind")
    platforms = jax.config.values["jax_platforms"]
    wanted = f"JAX_PLATFORMS={platforms}: " if platforms else ""
    raise UserError(f"no device to run on: {wanted}{reason}") from error
  if n_devices is None:
    return local
  if not 1 <= n_devices <= len(local):
    raise UserError(
      f"--devices={n_devices}: this machine has {len(local)} {local[0].platform} device(s); "
      f"allowed: 1 to {len(local)}"
    )
  return local[:n_devices]
