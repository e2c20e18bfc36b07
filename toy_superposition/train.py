"""Training: pure step, compiled segment, and a generator of snapshots.

The instance axis is added in `over_instances` and `initial_state` only. How loss and gradient are
obtained is the estimator's affair. Nothing here knows of files, logs or measures.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Float, Int

from toy_superposition import draws, optimizers, streams
from toy_superposition.devices import mapping, meshes, plan
from toy_superposition.estimators import ESTIMATORS, choose
from toy_superposition.estimators.estimator import Method
from toy_superposition.problem import Problem
from toy_superposition.types import Group, Instance, Key, Params, Snapshot, TrainState

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


def first_state(
  problem: Problem, group: Group, mesh: Mesh
) -> Callable[[Instance, Key], TrainState]:
  """Returns `initial_state` of some of a group's instances, compiled for the mesh."""

  def of(instances: Instance, root: Key) -> TrainState:
    return initial_state(problem, instances, root)

  state = jax.eval_shape(of, group.instances, streams.root(problem.spec.seed))
  return jax.jit(of, out_shardings=meshes.shardings(mesh, state))


def over_instances(
  function: Callable[..., Any], one_by_one: bool, mesh: Mesh
) -> Callable[..., Any]:
  """Returns `function` over a leading instance axis of its first two operands, on all devices.

  Places on the instance axis work without a word to each other: an instance never needs another.
  Where devices share instances, the compiler divides each one's work among them.
  """

  def of_device(state, instances, *shared):
    if one_by_one:
      return lax.map(lambda operands: function(*operands, *shared), (state, instances))
    return jax.vmap(lambda *operands: function(*operands, *shared))(state, instances)

  spread, same = PartitionSpec(meshes.INSTANCE), PartitionSpec()

  def of_all(state, instances, *shared):
    in_specs = (spread, spread, *(same for _ in shared))
    # check_vma would sum the gradients of what is created inside over the devices.
    mapped = jax.shard_map(
      of_device,
      mesh=mesh,
      in_specs=in_specs,
      out_specs=spread,
      axis_names={meshes.INSTANCE},
      check_vma=False,
    )
    return mapped(state, instances, *shared)

  return of_all


class Program(NamedTuple):
  """A group's compiled functions, with what the compilation cost."""

  estimator: str
  n_devices: int
  feature_devices: int  # that share one instance
  segment: jax.stages.Compiled  # (state, instances, root, first, last) → state
  judge: jax.stages.Compiled  # (params, instances, root, step) → (losses, finite)
  compile_seconds: float


def compile_programs(problem: Problem, group: Group, mesh: Mesh, n_instances: int) -> Program:
  """Returns the programs that train `n_instances` instances at a time, spread over the mesh."""
  started = time.perf_counter()
  platform = mesh.devices.flat[0].platform
  shared = meshes.feature_devices(mesh) > 1
  name = choose(group.spec, group.instances, platform, shared=shared)
  estimator = ESTIMATORS[name]
  method = estimator.make(problem._replace(shared=shared), group.instances)
  root = streams.root(problem.spec.seed)

  def abstract(tree):
    return jax.tree.map(
      lambda x, where: jax.ShapeDtypeStruct((n_instances, *x.shape[1:]), x.dtype, sharding=where),
      tree,
      meshes.shardings(mesh, tree),
    )

  instances = abstract(group.instances)
  state = abstract(jax.eval_shape(lambda i: initial_state(problem, i, root), group.instances))
  step = jax.ShapeDtypeStruct((), jnp.int32)

  def segment(*operands):
    return train_segment(problem, method, *operands)

  def judged(*operands):
    return judge(method, *operands)

  lowered = jax.jit(
    over_instances(segment, estimator.one_by_one, mesh),
    out_shardings=meshes.shardings(mesh, state),
  ).lower(state, instances, root, step, step)
  compiled = mapping.compile_for(mesh, lowered, estimator.cpu_options)
  judging = jax.jit(over_instances(judged, estimator.one_by_one, mesh)).lower(
    state.params, instances, root, step
  )
  judge_compiled = mapping.compile_for(mesh, judging, estimator.cpu_options)
  return Program(
    name,
    mesh.size,
    meshes.feature_devices(mesh),
    compiled,
    judge_compiled,
    time.perf_counter() - started,
  )


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
    mesh: devices to spread the instances over, and the features of each where it says so; as many
      places are used as there are instances at most.
    memory_budget: bytes that one slice may take on all devices together. Where it takes several
      slices, those that wait are kept on the host.
    start: step and state, in the form of Snapshot.state, to continue from.
    on_compiled: called once with the program and the number of slices, before the first step.
  """
  n_instances = len(group.instances.index)
  mesh = meshes.at_most(mesh, n_instances)
  parts = plan.slices(group, mesh, memory_budget)
  root = streams.root(problem.spec.seed)
  instances = [meshes.place(group.instances, part, mesh) for part in parts]
  step, states = 0, [None] * len(parts)
  if start is not None:
    step, states = (
      start[0],
      [jax.tree.map(lambda leaf, p=part: leaf[p], start[1]) for part in parts],
    )
  program = compile_programs(problem, group, mesh, len(parts[0]))
  initial = first_state(problem, group, mesh)
  on_compiled(program, len(parts))

  for border in borders:
    outcome = []
    for i, state in enumerate(states):
      state = initial(instances[i], root) if state is None else meshes.spread(state, mesh)
      state = program.segment(state, instances[i], root, jnp.int32(step), jnp.int32(border))
      verdict = program.judge(state.params, instances[i], root, jnp.int32(border))
      # To the host before the next slice begins: two would not fit in memory.
      outcome.append(jax.tree.map(np.asarray, (state, verdict)))
      states[i] = state if len(parts) == 1 else outcome[i][0]
    step = border
    state, (loss, ok) = meshes.gather(outcome, n_instances)
    yield Snapshot(step, state, loss, ok, program.estimator)
