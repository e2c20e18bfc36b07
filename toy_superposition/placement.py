"""Where instances live: devices, sharding by instance and feature, slices that fit in memory."""

import contextlib
import functools
import hashlib
import logging
import os
import platform
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from toy_superposition.errors import UserError
from toy_superposition.models import MODELS, PARAM_DIMS
from toy_superposition.types import Spec

log = logging.getLogger(__name__)
GIB = 2**30
# Share of the memory that training may plan for when the config names no budget: of an
# accelerator's own, and of the machine's, which other programs use too.
DEVICE_SHARE, MACHINE_SHARE = 0.5, 0.25
# Arrays of the size of one batch that a step keeps at once, per feature and per hidden unit; XLA's
# own count is in tests/planning_test.py.
FEATURE_ARRAYS = 2
HIDDEN_ARRAYS = 2
INSTANCE, FEATURE = "instance", "feature"  # the axes of a mesh
# Trailing axes of what an instance is made of, wherever an optimizer keeps the same.
DIMS = PARAM_DIMS | {"density": (FEATURE,), "importance": (FEATURE,)}


def configure(n_cpu_devices: int | None = None, compilation_cache: bool = False) -> None:
  """Sets process-wide JAX options; to be called before any device is touched.

  Matrix products are full float32 everywhere: the default is bfloat16 passes on TPU and TF32 on
  recent GPUs, too coarse for models this small. `n_cpu_devices` splits the CPU into that many.
  `compilation_cache` keeps compiled programs in the user's cache folder, unless jax was told of
  another place.
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
  """Returns how many processor cores this process may use."""
  if hasattr(os, "sched_getaffinity"):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def cache_folder() -> Path:
  """Returns the folder of compiled programs: one for each kind of CPU.

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
    UserError: more devices are asked for than exist, or fewer than one; or jax finds none of the
      platform that JAX_PLATFORMS names.
  """
  try:
    found = jax.local_devices()
  except (RuntimeError, AssertionError) as error:
    reason = next(iter(str(error).splitlines()), "no backend")
    raise UserError(f"no device to run on: {reason}") from error
  if n_devices is None:
    return found
  if not 1 <= n_devices <= len(found):
    raise UserError(
      f"--devices={n_devices}: this machine has {len(found)} {found[0].platform} device(s); "
      f"allowed: 1 to {len(found)}"
    )
  return found[:n_devices]


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


def batch_bytes(spec: Spec, batch_size: int) -> int:
  """Returns the bytes of the arrays of (feature, example) and (hidden, example) float32 that one
  instance keeps at once when a whole batch is computed together."""
  return 4 * batch_size * (FEATURE_ARRAYS * spec.n_features + HIDDEN_ARRAYS * spec.n_hidden)


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


@functools.cache
def _warn_once(message: str) -> None:
  log.warning(message)


def compile_for(
  mesh: Mesh, lowered: jax.stages.Lowered, cpu_options: Mapping[str, bool | str]
) -> jax.stages.Compiled:
  """Returns the compiled program, with the options if it is for CPU and this XLA takes them."""
  if not cpu_options or mesh.devices.flat[0].platform != "cpu":
    return lowered.compile()
  try:
    return lowered.compile(compiler_options=dict(cpu_options))
  except jax.errors.JaxRuntimeError as error:
    reason = str(error).splitlines()[0]
    _warn_once(f"slower than could be: XLA refuses {', '.join(cpu_options)} ({reason})")
    return lowered.compile()


def map_slices(
  function: Callable[..., Any],
  tree: Any,
  *,
  mesh: Mesh,
  bytes_each: int,
  budget: int,
  cpu_options: Mapping[str, bool | str] = types.MappingProxyType({}),
) -> Any:
  """Returns function(tree) on the host, computed slice by slice and spread over the mesh.

  Every leaf of `tree` and of the result has the leading instance axis, and `function` treats
  instances independently; it is compiled once. It may take `bytes_each` per instance.
  `cpu_options` are XLA's.
  """
  n_instances = len(jax.tree.leaves(tree)[0])
  mesh = at_most(mesh, n_instances)
  parts = slices(n_instances, mesh.shape[INSTANCE], bytes_each, budget)
  lowered = jax.jit(function, out_shardings=sharding(mesh)).lower(place(tree, parts[0], mesh))
  compiled = compile_for(mesh, lowered, cpu_options)
  # To the host at once: only one slice's result stays on the devices.
  results = [jax.tree.map(np.asarray, compiled(place(tree, part, mesh))) for part in parts]
  return gather(results, n_instances)
