"""A function of a batch of instances, compiled for a mesh and run slice by slice."""

import contextlib
import dataclasses
import functools
import logging
import re
import time
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition import interrupts
from toy_superposition.devices import memory, meshes
from toy_superposition.devices.layout import layout

log = logging.getLogger(__name__)
# Operations that wait for XLA's threads while they occupy one: calls out of the compiled program,
# such as those of LAPACK and of Python, but not the compiler's own marks.
WAITS = re.compile(r"custom_call @\"?(?!Sharding|SPMD|xla\.sdy)")

# For CPU: vectors as wide as AVX-512's, of which XLA uses half by default. Without AVX-512 they are
# as wide as there are, as before. The bits of sums change with fast mathematics only.
CPU_OPTIONS = {"xla_cpu_prefer_vector_width": "512"}


@functools.cache
def _warn_once(message: str) -> None:
  log.warning(message)


def compile_for(
  mesh: Mesh, lowered: jax.stages.Lowered, cpu_options: Mapping[str, bool | str]
) -> jax.stages.Compiled:
  """Returns the compiled program, with CPU_OPTIONS and those given if it is for CPU and this XLA
  takes them."""
  if mesh.devices.flat[0].platform != "cpu":
    return lowered.compile()
  options = {**CPU_OPTIONS, **cpu_options}
  try:
    return lowered.compile(compiler_options=options)
  except jax.errors.JaxRuntimeError as error:
    if memory.is_exhausted(error):
      raise
    reason = str(error).splitlines()[0]
    _warn_once(f"slower than could be: XLA refuses {', '.join(options)} ({reason})")
    return lowered.compile()


def must_be_alone(mesh: Mesh, *programs: jax.stages.Lowered) -> bool:
  """Returns whether one of a mesh's programs has to run on one device of it.

  The CPU devices of a process share XLA's threads. An operation that waits for these threads holds
  one of them, so as many devices as there are threads would wait for each other for ever.
  """
  devices = list(mesh.devices.flat)
  if len(devices) == 1 or not memory.is_shared(devices):
    return False
  return any(WAITS.search(program.as_text()) for program in programs)


def one_device(mesh: Mesh) -> Mesh:
  """Returns the mesh of the first device alone."""
  return meshes.make_mesh(list(mesh.devices.flat)[:1])


@dataclasses.dataclass
class Rehearsal:
  """A block in which the first slice stands for all: its results are those of every slice."""

  until: float  # on the clock of time.perf_counter: no function is computed later, all are zeros
  compile_seconds: float = 0.0
  computing_seconds: float = 0.0  # of the slices that were computed, without tracing and compiling
  skipped_seconds: float = 0.0  # of the slices left out, if each takes as long as the first
  timed: int = 0  # functions that were computed
  untimed: int = 0  # functions for which no time was left


_rehearsals: list[Rehearsal] = []


@contextlib.contextmanager
def rehearsed(seconds: float) -> Iterator[Rehearsal]:
  """Computes only the first slice of every function in the block, for a dry run.

  Args:
    seconds: after which no function is begun.
  """
  _rehearsals.append(Rehearsal(time.perf_counter() + seconds))
  try:
    yield _rehearsals[-1]
  finally:
    _rehearsals.pop()


class Mapped(NamedTuple):
  """A function of instances, lowered for slices of them."""

  mesh: Mesh  # devices in use
  slices: list[np.ndarray]  # positions of each slice's instances
  lowered: jax.stages.Lowered

  @property
  def must_be_alone(self) -> bool:
    """Whether the function has to run on one device; see the function of that name."""
    return must_be_alone(self.mesh, self.lowered)

  def run(self, tree: Any, cpu_options: Mapping[str, bool | str]) -> Any:
    """Returns the function of the tree that it was lowered for, on the host.

    Raises:
      UserError: the compiler or the devices found too little memory.
    """
    rehearsal = _rehearsals[-1] if _rehearsals else None
    with memory.explained():
      if rehearsal:
        results = self._rehearsed(tree, cpu_options, rehearsal)
      else:
        compiled = compile_for(self.mesh, self.lowered, cpu_options)
        results = [self._of_slice(compiled, tree, positions) for positions in self.slices]
      return meshes.gather(results, meshes.length(tree))

  def _of_slice(self, compiled: jax.stages.Compiled, tree: Any, positions: np.ndarray) -> Any:
    """Returns the results of one slice, on the host: only one slice's stay on the devices."""
    interrupts.check()
    return jax.tree.map(np.asarray, compiled(meshes.place(tree, positions, self.mesh)))

  def _rehearsed(
    self, tree: Any, cpu_options: Mapping[str, bool | str], rehearsal: Rehearsal
  ) -> list[Any]:
    """Returns the first slice's results, or zeros if no time is left, for every slice."""
    started = time.perf_counter()
    if started > rehearsal.until:
      rehearsal.untimed += 1
      zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), self.lowered.out_info)
      return [zeros] * len(self.slices)
    compiled = compile_for(self.mesh, self.lowered, cpu_options)
    ready = time.perf_counter()
    first = self._of_slice(compiled, tree, self.slices[0])
    rehearsal.timed += 1
    rehearsal.compile_seconds += ready - started
    taken = time.perf_counter() - ready
    rehearsal.computing_seconds += taken
    rehearsal.skipped_seconds += (len(self.slices) - 1) * taken
    return [first] * len(self.slices)


def lower(
  function: Callable[..., Any], tree: Any, *, mesh: Mesh, bytes_each: int, budget: int
) -> Mapped:
  """Returns a function lowered for slices of a tree; the arguments are those of `map_slices`."""
  used, slices = layout(meshes.length(tree), mesh, bytes_per_instance=bytes_each, budget=budget)
  jitted = jax.jit(function, out_shardings=meshes.sharding(used))
  return Mapped(used, slices, jitted.lower(meshes.place(tree, slices[0], used)))


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

  On one device only, if the function contains operations that could not run on several.

  Args:
    function: of a tree with a leading instance axis, which its result has too. It treats instances
      independently and is compiled once.
    tree: arrays with a leading instance axis; shorter ones stand for several, see `meshes.rows`.
    mesh: available devices.
    bytes_each: that one instance may take.
    budget: bytes that one slice may take on all devices together.
    cpu_options: XLA's, for CPU.

  Raises:
    UserError: as `Mapped.run`.
  """
  mapped = lower(function, tree, mesh=mesh, bytes_each=bytes_each, budget=budget)
  if mapped.must_be_alone:
    alone = one_device(mesh)
    mapped = lower(function, tree, mesh=alone, bytes_each=bytes_each, budget=budget)
  return mapped.run(tree, cpu_options)
