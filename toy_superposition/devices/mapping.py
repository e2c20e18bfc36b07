"""A function of a batch of instances, compiled for a mesh and run slice by slice."""

import functools
import logging
import types
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition.devices import meshes
from toy_superposition.devices.layout import layout

log = logging.getLogger(__name__)


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

  Args:
    function: of a tree with a leading instance axis, which its result has too. It treats instances
      independently and is compiled once.
    tree: arrays with a leading instance axis.
    mesh: available devices.
    bytes_each: that one instance may take.
    budget: bytes that one slice may take on all devices together.
    cpu_options: XLA's, for CPU.
  """
  n_instances = len(jax.tree.leaves(tree)[0])
  used, slices = layout(n_instances, mesh, bytes_per_instance=bytes_each, budget=budget)
  lowered = jax.jit(function, out_shardings=meshes.sharding(used)).lower(
    meshes.place(tree, slices[0], used)
  )
  compiled = compile_for(used, lowered, cpu_options)
  # To the host at once: only one slice's result stays on the devices.
  results = [
    jax.tree.map(np.asarray, compiled(meshes.place(tree, positions, used))) for positions in slices
  ]
  return meshes.gather(results, n_instances)
