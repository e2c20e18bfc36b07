"""Training: pure step, compiled segment, and a generator of snapshots.

The instance axis is added in `over_instances` and `initial_state` only. How loss and gradient are
obtained is left to the estimator. Nothing here depends on files, logs or measures.
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

from toy_superposition import bfgs, draws, objective, optimizers, streams
from toy_superposition.devices import mapping, memory, meshes
from toy_superposition.devices.plan import Plan
from toy_superposition.estimators import ESTIMATORS
from toy_superposition.estimators.estimator import Method
from toy_superposition.problem import Problem
from toy_superposition.types import Instance, Key, Params, Snapshot, TrainState

Step = Int[Array, ""]
# For programs that run once: half the time to compile them.
RUNS_ONCE = {"xla_backend_optimization_level": "1"}


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

  searches = optimizers.searches(problem.spec.optimizer)
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
  stream = problem.training_stream(root, instance)

  def of_step(params: Params, step: Step):
    return method.gradient(params, instance, draws.fold_in(stream, step))

  if optimizers.descends(problem.spec):
    return TrainState(*bfgs.descend(of_step, state.params, state.opt_state, first, last))

  def body(step: Step, state: TrainState) -> TrainState:
    return train_step(problem, method, state, instance, draws.fold_in(stream, step))

  return lax.fori_loop(first, last, body, state)


def monitor(
  problem: Problem, method: Method, params: Params, instance: Instance, root: Key, step: Step
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
  """Returns one instance's loss on the next step's batch, which these parameters were not trained
  on, and whether loss and parameters are finite; without finite parameters the loss is NaN."""
  stream = problem.training_stream(root, instance)
  loss = method.loss(params, instance, draws.fold_in(stream, step))
  loss = objective.nan_if_diverged(loss, params)
  return loss, jnp.isfinite(loss)


def initial_state(problem: Problem, instances: Instance, root: Key) -> TrainState:
  """Returns the state before the first step of instances with a leading axis."""
  return jax.vmap(lambda instance: initialize(problem, instance, root))(instances)


def first_state(problem: Problem, plan: Plan) -> Callable[[Instance, Key], TrainState]:
  """Returns `initial_state` of a slice of the plan's instances, compiled for its devices."""

  def of_slice(instances: Instance, root: Key) -> TrainState:
    return initial_state(problem, instances, root)

  state = jax.eval_shape(of_slice, plan.own.instances, streams.root(problem.spec.seed))

  def lowered(mesh: Mesh) -> jax.stages.Lowered:
    jitted = jax.jit(of_slice, out_shardings=meshes.shardings(mesh, state))
    return jitted.lower(_abstract(plan, plan.own.instances, mesh), streams.root(problem.spec.seed))

  (program,), mesh = _on_devices(lambda mesh: [lowered(mesh)], plan.mesh)
  compiled = mapping.compile_for(mesh, program, RUNS_ONCE)

  def first(instances: Instance, root: Key) -> TrainState:
    return meshes.spread(compiled(meshes.spread(instances, mesh), root), plan.mesh)

  return first


def _abstract(plan: Plan, tree: Any, mesh: Mesh) -> Any:
  """Returns shapes and places of a slice of arrays with a leading instance axis."""
  return jax.tree.map(
    lambda x, sharding: jax.ShapeDtypeStruct(
      (plan.slice_length, *x.shape[1:]), x.dtype, sharding=sharding
    ),
    tree,
    meshes.shardings(mesh, tree),
  )


def _on_devices(
  lower: Callable[[Mesh], list[jax.stages.Lowered]], mesh: Mesh
) -> tuple[list[jax.stages.Lowered], Mesh]:
  """Returns lowered programs and the devices that they are for: all, or one if they must be alone.

  The length of a slice is a multiple of the number of slots, and so one device takes it as well.
  """
  programs = lower(mesh)
  if not mapping.must_be_alone(mesh, *programs):
    return programs, mesh
  alone = mapping.one_device(mesh)
  return lower(alone), alone


def over_instances(
  function: Callable[..., Any], one_by_one: bool, mesh: Mesh
) -> Callable[..., Any]:
  """Returns `function` over a leading instance axis of its first two operands, on all devices.

  Device slots along the instance axis never communicate. If the devices of a slot share instances,
  the compiler divides each instance's work among them.
  """

  def of_slot(state, instances, *shared):
    if one_by_one:
      return lax.map(lambda operands: function(*operands, *shared), (state, instances))
    return jax.vmap(lambda *operands: function(*operands, *shared))(state, instances)

  spread, same = PartitionSpec(meshes.INSTANCE), PartitionSpec()

  def of_all(state, instances, *shared):
    in_specs = (spread, spread, *(same for _ in shared))
    # check_vma would sum the gradients of what is created inside over the devices.
    mapped = jax.shard_map(
      of_slot,
      mesh=mesh,
      in_specs=in_specs,
      out_specs=spread,
      axis_names={meshes.INSTANCE},
      check_vma=False,
    )
    return mapped(state, instances, *shared)

  return of_all


class Program(NamedTuple):
  """A group's compiled functions, and the time that their compilation took."""

  segment: jax.stages.Compiled  # (state, instances, root, first, last) → state
  monitor: jax.stages.Compiled  # (params, instances, root, step) → (losses, finite)
  mesh: Mesh  # the plan's, or one device of it for operations that could not run on several
  compile_seconds: float


def compile_programs(problem: Problem, plan: Plan) -> Program:
  """Returns the programs that train a slice of the plan's instances on its devices.

  Raises:
    UserError: the compiler found too little memory.
  """
  started = time.perf_counter()
  estimator = ESTIMATORS[plan.group.spec.estimator]
  programs, mesh = _on_devices(lambda mesh: _lowered(problem, plan, mesh), plan.mesh)
  with memory.explained():
    segment, monitored = (
      mapping.compile_for(mesh, program, estimator.cpu_options) for program in programs
    )
  return Program(segment, monitored, mesh, time.perf_counter() - started)


def _lowered(problem: Problem, plan: Plan, mesh: Mesh) -> list[jax.stages.Lowered]:
  """Returns `train_segment` and `monitor` of a slice of the plan's instances, lowered."""
  estimator = ESTIMATORS[plan.group.spec.estimator]
  method = estimator.make(problem._replace(shared=plan.shared), plan.own.instances)
  root = streams.root(problem.spec.seed)
  instances = _abstract(plan, plan.own.instances, mesh)
  state = _abstract(
    plan, jax.eval_shape(lambda i: initial_state(problem, i, root), plan.own.instances), mesh
  )
  step = jax.ShapeDtypeStruct((), jnp.int32)

  def segment(*operands):
    return train_segment(problem, method, *operands)

  def monitored(*operands):
    return monitor(problem, method, *operands)

  training = jax.jit(
    over_instances(segment, estimator.one_by_one, mesh),
    out_shardings=meshes.shardings(mesh, state),
  )
  monitoring = jax.jit(over_instances(monitored, estimator.one_by_one, mesh))
  return [
    training.lower(state, instances, root, step, step),
    monitoring.lower(state.params, instances, root, step),
  ]


def run(
  problem: Problem,
  plan: Plan,
  segment_ends: Iterable[int],
  *,
  start: tuple[int, TrainState] | None = None,
  on_compiled: Callable[[Program], None] = lambda program: None,
) -> Iterator[Snapshot]:
  """Trains this process's instances of a group and yields a Snapshot at each segment end.

  Args:
    problem: made from the Spec of plan.group.
    plan: instances, devices and slices. With several slices, waiting ones are kept on the host.
    segment_ends: increasing step counts, from `start`'s step (or 0) to at most spec.steps.
    start: step and state to continue from, in the form of Snapshot.state.
    on_compiled: called once with the program, before the first step.

  Raises:
    UserError: the devices found too little memory.
  """
  n_instances = len(plan.own.instances.index)
  root = streams.root(problem.spec.seed)
  step, states = 0, [None] * len(plan.slices)
  if start is not None:
    step, state = start
    states = [jax.tree.map(lambda leaf, p=positions: leaf[p], state) for positions in plan.slices]
  program = compile_programs(problem, plan)
  mesh = program.mesh
  instances = [meshes.place(plan.own.instances, positions, mesh) for positions in plan.slices]
  initial = first_state(problem, plan._replace(mesh=mesh)) if start is None else None
  on_compiled(program)

  for end in segment_ends:
    results = []
    for i, before in enumerate(states):
      with memory.explained():
        if before is None:
          assert initial is not None
          state = initial(instances[i], root)
        else:
          state = meshes.spread(before, mesh)
        state = program.segment(state, instances[i], root, jnp.int32(step), jnp.int32(end))
        monitored = program.monitor(state.params, instances[i], root, jnp.int32(end))
        # To the host before the next slice begins: two would not fit in memory.
        results.append(jax.tree.map(np.asarray, (state, monitored)))
      states[i] = state if len(states) == 1 else results[i][0]
    step = end
    state, (losses, finite) = meshes.gather(results, n_instances)
    yield Snapshot(step, state, losses, finite, plan.group.spec.estimator)
