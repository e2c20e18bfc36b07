"""The package's own training, through the programs that train.run compiles."""

import time

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from toy_superposition import problem, streams, train
from toy_superposition.devices import memory, meshes, setup
from toy_superposition.types import Group


def mesh_for(n_instances: int) -> Mesh:
  """Returns the mesh that train.run would use with all devices."""
  return meshes.at_most(meshes.make_mesh(setup.devices()), n_instances)


class Engine:
  """A group of instances, compiled and on its devices, with the steps that it has trained."""

  def __init__(self, group: Group, mesh: Mesh):
    """Compiles the group's programs and places its first state."""
    one = problem.make(group.spec)
    self.n_instances, self.step = len(group.instances.index), 0
    (part,) = memory.slices(self.n_instances, mesh.size, 1, 2**62)
    self._root = streams.root(group.spec.seed)
    self._instances = meshes.place(group.instances, part, mesh)
    self.program = train.compile_programs(one, group, mesh, len(part))
    initial = train.first_state(one, group, mesh)
    self.state = jax.block_until_ready(initial(self._instances, self._root))
    self._n_devices = mesh.size

  def advance(self, n_steps: int) -> float:
    """Trains in one call of the compiled program and returns its seconds."""
    first, last = jnp.int32(self.step), jnp.int32(self.step + n_steps)
    started = time.perf_counter()
    self.state = self.program.segment(self.state, self._instances, self._root, first, last)
    jax.block_until_ready(self.state)
    seconds = time.perf_counter() - started
    self.step += n_steps
    return seconds

  def losses(self, n_batches: int) -> np.ndarray:
    """Returns each instance's loss on that many batches that it has not been trained on."""
    each = [
      self.program.judge(self.state.params, self._instances, self._root, jnp.int32(self.step + i))
      for i in range(n_batches)
    ]
    return np.mean([loss for loss, _ in each], axis=0)[: self.n_instances]

  def n_bytes(self) -> int | None:
    """Returns the bytes of arguments, results and temporaries, by XLA's count over all devices."""
    found = self.program.segment.memory_analysis()
    if found is None:
      return None
    sizes = (found.temp_size_in_bytes, found.argument_size_in_bytes, found.output_size_in_bytes)
    return sum(sizes) * self._n_devices
