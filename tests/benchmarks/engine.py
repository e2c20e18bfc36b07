"""The package's own training, through the programs that train.run compiles."""

import time

import jax
import jax.numpy as jnp
import numpy as np

from toy_superposition import estimators, problem, streams, train
from toy_superposition.devices import meshes, setup
from toy_superposition.devices.plan import Plan, make_plan
from toy_superposition.types import Group


def plan_for(group: Group) -> Plan:
  """Returns the plan of a group on all devices, in one slice."""
  devices = setup.devices()
  fixed = estimators.fixed(group, devices[0].platform)
  return make_plan(fixed, meshes.make_mesh(devices), budget=2**62, limit=2**62)


class Engine:
  """A group of instances, compiled and on its devices, with the steps that it has trained."""

  def __init__(self, plan: Plan):
    """Compiles the programs of a plan with one slice and places its first state."""
    group_problem = problem.make(plan.group.spec)
    self.n_instances, self.step = len(plan.group.cells), 0
    self.estimator, self.n_devices = plan.group.spec.estimator, plan.mesh.size
    (positions,) = plan.slices
    self._root = streams.root(plan.group.spec.seed)
    self._instances = meshes.place(plan.group.instances, positions, plan.mesh)
    self.program = train.compile_programs(group_problem, plan)
    initial = train.first_state(group_problem, plan)
    self.state = jax.block_until_ready(initial(self._instances, self._root))

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
    batches = [
      self.program.monitor(self.state.params, self._instances, self._root, jnp.int32(self.step + i))
      for i in range(n_batches)
    ]
    return np.mean([loss for loss, _ in batches], axis=0)[: self.n_instances]

  def n_bytes(self) -> int | None:
    """Returns the bytes of arguments, results and temporaries, by XLA's count over all devices."""
    found = self.program.segment.memory_analysis()
    if found is None:
      return None
    sizes = (found.temp_size_in_bytes, found.argument_size_in_bytes, found.output_size_in_bytes)
    return sum(sizes) * self.n_devices
