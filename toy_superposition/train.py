"""Training: pure step, compiled segment, and a generator of snapshots.

The instance axis is added in `over_instances` and `initial_state` only. How loss and gradient are
obtained is the estimator's affair. Nothing here knows of files, logs or measures.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Float, Int

from toy_superposition import draws, optimizers, placement, streams
from toy_superposition.estimators import ESTIMATORS, choose
from toy_superposition.estimators.estimator import Method
from toy_superposition.problem import Problem
from toy_superposition.theory import optimum
from toy_superposition.types import Group, Instance, Key, Params, Snapshot, Spec, TrainState

Step = Int[Array, ""]


def initialize(problem: Problem, instance: Instance, root: Key) -> TrainState:
  """Returns the state of one instance before its first step."""
  params = problem.init(streams.key(root, streams.Stream.INIT, instance.index))
  return TrainState(params=params, opt_state=problem.optimizer(instance).init(params))


def train_step(
  problem: Problem, method: Method, state: TrainState, instance: Instance, key: draws.KeyWords
) -> TrainState:
  """Returns the state of one instance after one optimizer step; `key` is this step's."""

  def gradient(params: Params):
    return method.gradient(params, instance, key)

  searches = problem.spec.optimizer in optimizers.SEARCHING
  gradients = None if searches else gradient(state.params)[1]
  updates, opt_state = problem.optimizer(instance).update(
    gradients, state.opt_state, state.params, value_and_gradient=gradient
  )
  return TrainState(params=optax.apply_updates(state.params, updates), opt_state=opt_state)


def train_segment(
  problem: Problem,
  method: Method,
  state: TrainState,
  instance: Instance,
  root: Key,
  first: Step,
  last: Step,
) -> TrainState:
  """Returns one instance's state after the steps first … last − 1.

  The bounds are data, so one program serves segments of every length.
  """
  stream = streams.words(root, streams.Stream.TRAIN, instance.index)

  def body(step: Step, state: TrainState) -> TrainState:
    return train_step(problem, method, state, instance, draws.fold_in(stream, step))

  return lax.fori_loop(first, last, body, state)


def judge(
  method: Method, params: Params, instance: Instance, root: Key, step: Step
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
  """Returns one instance's loss on the batch of the step to come, which its parameters have not
  seen, and whether all is finite."""
  stream = streams.words(root, streams.Stream.TRAIN, instance.index)
  loss = method.loss(params, instance, draws.fold_in(stream, step))
  leaves = [*jax.tree.leaves(params), loss]
  return loss, jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))


def initial_state(problem: Problem, instances: Instance, root: Key) -> TrainState:
  """Returns the state before the first step of instances with a leading axis."""

  def one(instance: Instance) -> TrainState:
    return initialize(problem, instance, root)

  return jax.vmap(one)(instances)


def over_instances(
  function: Callable[..., Any], one_by_one: bool, mesh: Mesh
) -> Callable[..., Any]:
  """Returns `function` over a leading instance axis of its first two operands, on all devices.

  Devices work without a word to each other: an instance never needs another.
  """

  def of_device(state, instances, *shared):
    if one_by_one:
      return lax.map(lambda operands: function(*operands, *shared), (state, instances))
    return jax.vmap(lambda *operands: function(*operands, *shared))(state, instances)

  spread, same = PartitionSpec("instance"), PartitionSpec()

  def of_all(state, instances, *shared):
    in_specs = (spread, spread, *(same for _ in shared))
    # check_vma would sum the gradients of what is created inside over the devices.
    mapped = jax.shard_map(
      of_device, mesh=mesh, in_specs=in_specs, out_specs=spread, check_vma=False
    )
    return mapped(state, instances, *shared)

  return of_all


class Program(NamedTuple):
  """A group's compiled functions, with what the compilation cost."""

  estimator: str
  n_devices: int
  segment: jax.stages.Compiled  # (state, instances, root, first, last) → state
  judge: jax.stages.Compiled  # (params, instances, root, step) → (losses, finite)
  compile_seconds: float


def compile_programs(problem: Problem, group: Group, mesh: Mesh, n_instances: int) -> Program:
  """Returns the programs that train `n_instances` instances at a time, spread over the mesh."""
  started = time.perf_counter()
  platform = mesh.devices.flat[0].platform
  name = choose(group.spec, group.instances, platform)
  estimator = ESTIMATORS[name]
  method = estimator.make(problem, group.instances)
  root = streams.root(problem.spec.seed)
  shard = placement.sharding(mesh)

  def abstract(tree):
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct((n_instances, *x.shape[1:]), x.dtype, sharding=shard), tree
    )

  instances = abstract(group.instances)
  state = abstract(jax.eval_shape(lambda i: initial_state(problem, i, root), group.instances))
  step = jax.ShapeDtypeStruct((), jnp.int32)

  def segment(*operands):
    return train_segment(problem, method, *operands)

  def judged(*operands):
    return judge(method, *operands)

  lowered = jax.jit(over_instances(segment, estimator.one_by_one, mesh)).lower(
    state, instances, root, step, step
  )
  compiled = placement.compile_for(mesh, lowered, estimator.cpu_options)
  judging = jax.jit(over_instances(judged, estimator.one_by_one, mesh)).lower(
    state.params, instances, root, step
  )
  judge_compiled = placement.compile_for(mesh, judging, estimator.cpu_options)
  return Program(name, mesh.size, compiled, judge_compiled, time.perf_counter() - started)


def instance_bytes(spec: Spec, instances: Instance, platform: str) -> int:
  """Returns the bytes that every instance of a slice is planned to take on its device."""
  estimator = ESTIMATORS[choose(spec, instances, platform)]
  each = placement.parameter_bytes(spec)
  if spec.optimizer in optimizers.SEARCHING:
    each += optimum.problem_bytes(spec.n_features, spec.n_hidden, n_starts=1)
  return each if estimator.one_by_one else each + estimator.working_bytes(spec)


def shared_bytes(spec: Spec, instances: Instance, platform: str) -> int:
  """Returns the bytes that the instances on one device are planned to take in turn."""
  estimator = ESTIMATORS[choose(spec, instances, platform)]
  return estimator.working_bytes(spec) if estimator.one_by_one else 0


def run(
  problem: Problem,
  group: Group,
  borders: Iterable[int],
  *,
  mesh: Mesh,
  memory_budget: int,
  start: tuple[int, TrainState] | None = None,
  on_compiled: Callable[[Program, int], None] = lambda program, n_slices: None,
) -> Iterator[Snapshot]:
  """Trains a group and yields a Snapshot at each border.

  Args:
    problem: made from group.spec.
    group: the instances; they are trained in slices that fit the memory budget.
    borders: increasing step counts, from `start`'s step (or 0) to at most spec.steps.
    mesh: devices to spread the instances over, as many as there are instances at most.
    memory_budget: bytes that one slice may take on all devices together.
    start: step and state, in the form of Snapshot.state, to continue from.
    on_compiled: called once with the program and the number of slices, before the first step.
  """
  n_instances = len(group.instances.index)
  mesh = placement.at_most(mesh, n_instances)
  kind = (group.spec, group.instances, mesh.devices.flat[0].platform)
  left = memory_budget - mesh.size * shared_bytes(*kind)
  parts = placement.slices(n_instances, mesh.size, instance_bytes(*kind), max(left, 0))
  shard = placement.sharding(mesh)
  root = streams.root(problem.spec.seed)

  def place(tree):
    return [placement.place(tree, part, mesh) for part in parts]

  instances = place(group.instances)
  if start is None:
    step = 0
    initial = jax.jit(lambda i: initial_state(problem, i, root), out_shardings=shard)
    states = [initial(part) for part in instances]
  else:
    step, states = start[0], place(start[1])
  program = compile_programs(problem, group, mesh, len(parts[0]))
  on_compiled(program, len(parts))

  verdicts = [None] * len(parts)
  for border in borders:
    for i in range(len(parts)):
      states[i] = program.segment(states[i], instances[i], root, jnp.int32(step), jnp.int32(border))
      verdicts[i] = program.judge(states[i].params, instances[i], root, jnp.int32(border))
      # One slice at a time: dispatch is asynchronous, and two would not fit in memory.
      jax.block_until_ready(verdicts[i])
    step = border
    outcome = list(zip(states, verdicts, strict=True))
    state, (loss, ok) = placement.gather(outcome, n_instances)
    yield Snapshot(step, state, loss, ok, program.estimator)
