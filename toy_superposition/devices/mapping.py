"""A function of one batch of instances, compiled for a mesh and run slice by slice."""

import functools
import logging
import types
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition.devices.memory import slices
from toy_superposition.devices.meshes import INSTANCE, at_most, gather, place, sharding

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
