"""Training: pure step, compiled segment, and a generator of snapshots.

`vmap` over instances stands in `compile_segment` and `initial_state` only. Nothing here knows of
files, logs or measures.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Int

from toy_superposition import placement, streams
from toy_superposition.problem import Problem
from toy_superposition.types import Group, Instance, Key, Snapshot, TrainState

Scalar = Int[Array, ""]


def initialize(problem: Problem, instance: Instance, root: Key) -> TrainState:
  """Returns the state of one instance before its first step."""
  params = problem.init(streams.key(root, streams.Stream.INIT, instance.index, 0))
  return TrainState(params=params, opt_state=problem.optimizer(instance).init(params))


def draw(problem: Problem, instance: Instance, root: Key, step: Scalar) -> Float[Array, "batch n"]:
  """Returns the training batch of one instance at one step."""
  key = streams.key(root, streams.Stream.TRAIN, instance.index, step)
  return problem.sample(key, instance, problem.spec.batch_size)


def train_step(
  problem: Problem, state: TrainState, instance: Instance, root: Key, step: Scalar
) -> TrainState:
  """Returns the state of one instance after one optimizer step on a fresh batch."""
  x = draw(problem, instance, root, step)
  gradients = jax.grad(problem.loss)(state.params, instance, x)
  updates, opt_state = problem.optimizer(instance).update(gradients, state.opt_state, state.params)
  return TrainState(params=optax.apply_updates(state.params, updates), opt_state=opt_state)


def train_segment(
  problem: Problem, state: TrainState, instance: Instance, root: Key, first: Scalar, last: Scalar
) -> tuple[TrainState, Float[Array, ""], Bool[Array, ""]]:
  """Returns one instance's state after the steps first … last − 1, its loss, and whether all is
  finite.

  The bounds are data, so one program serves segments of every length; and the loss, on the batch
  that step `last` will use, is computed once per segment, not once per step.
  """

  def body(step, state):
    return train_step(problem, state, instance, root, step)

  state = lax.fori_loop(first, last, body, state)
  loss = problem.loss(state.params, instance, draw(problem, instance, root, last))
  leaves = jax.tree.leaves(state.params)
  finite = jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves] + [jnp.isfinite(loss)])
  return state, loss, jnp.all(finite)


def initial_state(problem: Problem, instances: Instance, root: Key) -> TrainState:
  """Returns the state before the first step of instances with a leading axis."""

  def one(instance: Instance) -> TrainState:
    return initialize(problem, instance, root)

  return jax.vmap(one)(instances)


class Program(NamedTuple):
  """A group's compiled segment, with what the compilation cost."""

  run: jax.stages.Compiled  # (state, instances, root, first, last) → (state, losses, finite)
  compile_seconds: float


def compile_segment(problem: Problem, instances: Instance, mesh: Mesh) -> Program:
  """Returns the program that trains instances of this shape, sharded over the mesh."""
  shard = placement.sharding(mesh)
  segment = jax.jit(
    jax.vmap(lambda *operands: train_segment(problem, *operands), in_axes=(0, 0, None, None, None)),
    out_shardings=shard,
  )

  def abstract(tree):
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=shard), tree)

  started = time.perf_counter()
  root = streams.root(problem.spec.seed)
  state = jax.eval_shape(lambda i: initial_state(problem, i, root), instances)
  step = jax.ShapeDtypeStruct((), jnp.int32)
  compiled = segment.lower(abstract(state), abstract(instances), root, step, step).compile()
  return Program(compiled, time.perf_counter() - started)


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
    mesh: devices to spread the instances over.
    memory_budget: bytes that one slice may take on all devices together.
    start: step and state, in the form of Snapshot.state, to continue from.
    on_compiled: called once with the program and the number of slices, before the first step.
  """
  n_instances = len(group.instances.index)
  parts = placement.slices(
    n_instances, mesh.size, placement.instance_bytes(problem.spec), memory_budget
  )
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
  program = compile_segment(problem, instances[0], mesh)
  on_compiled(program, len(parts))

  losses, finite = [None] * len(parts), [None] * len(parts)
  for border in borders:
    for i in range(len(parts)):
      states[i], losses[i], finite[i] = program.run(
        states[i], instances[i], root, jnp.int32(step), jnp.int32(border)
      )
      # One slice at a time: dispatch is asynchronous, and two would not fit in memory.
      jax.block_until_ready(losses[i])
    step = border
    outcome = list(zip(states, losses, finite, strict=True))
    state, loss, ok = placement.gather(outcome, n_instances)
    yield Snapshot(step, state, loss, ok)
