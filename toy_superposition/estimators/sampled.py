"""`sparse` with a share of the outputs of inactive features: for thousands of features, few active.

Most of a step of `sparse` is its decoder, and nearly all of its outputs are of features that are
not active in the example, whose losses all say the same: that the output should be that of a silent
feature. So the output of an inactive feature is evaluated in one of `inactive_every` examples and
counted that many times; the outputs of an example's active features, and of the candidates among
which they are drawn, are all evaluated. The gradient is noisier than the batch's, and right on
average.

Features are divided into as many classes, i modulo inactive_every, and the examples of a step into
as many groups. Every class meets one group: each output is evaluated for an equal share of the
batch, and the decoder stays a matrix product for each class. Which group it is, is drawn: the mean
over what can be drawn is the gradient of the full batch.
"""

import dataclasses
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from toy_superposition import draws, models, objective, problem, scalarize
from toy_superposition.declare import integer
from toy_superposition.draws import KeyWords
from toy_superposition.estimators import sparse
from toy_superposition.estimators.estimator import Method, Scalar
from toy_superposition.estimators.sparse import SLOT_ARRAYS, Values
from toy_superposition.models.model import Rows
from toy_superposition.problem import Problem
from toy_superposition.types import Instance, Params, Spec

Hidden = Float[Array, "example hidden"]
Table = Float[Array, "row hidden"]  # a feature's numbers in a row
Numbers = Float[Array, "number"]
MEETING = 2  # folded into a step's key for which group of examples meets which class
TOGETHER = 4  # slots whose rows are read at once
COLUMNS = 64  # of a matrix that are transposed at once, within the cache
HIDDEN_ARRAYS = 6  # of (example, hidden) that are kept at once, for planning memory


class Slots(NamedTuple):
  """The active features of a batch."""

  rows: Int[Array, "slot example"]  # of tables; beyond the last for an unused slot
  values: Values
  n_used: Int[Array, ""]  # slots that any example uses


class Layout(NamedTuple):
  """How features are divided into classes and examples into groups, both filled up with zeros."""

  n_classes: int
  n_features: int
  n_examples: int

  @property
  def n_members(self) -> int:
    """The number of features in a class."""
    return -(-self.n_features // self.n_classes)

  @property
  def n_rows(self) -> int:
    """The number of rows of a table: the features, and what fills up their classes."""
    return self.n_members * self.n_classes

  @property
  def group_size(self) -> int:
    """The number of examples in a group."""
    return -(-self.n_examples // self.n_classes)

  def of_features(self, x: Array) -> Array:
    """Returns numbers of features by row: class c has rows c, c + n_classes, …"""
    return _filled(x, self.n_rows)

  def by_class(self, x: Array) -> Array:
    """Returns numbers by row as (member, class, …)."""
    return x.reshape(self.n_members, self.n_classes, *x.shape[1:])

  def by_group(self, x: Array) -> Array:
    """Returns numbers of examples as (group, example, …)."""
    return _filled(x, self.group_size * self.n_classes).reshape(
      self.n_classes, self.group_size, *x.shape[1:]
    )

  def by_example(self, x: Array) -> Array:
    """Returns numbers that `by_group` divided."""
    return x.reshape(-1, *x.shape[2:])[: self.n_examples]


def _filled(x: Array, n: int) -> Array:
  return jnp.pad(x, ((0, n - x.shape[0]), *((0, 0) for _ in x.shape[1:])))


def transposed(x: Array, axis: int) -> Array:
  """Returns xᵀ as an array in memory, made in parts along the axis of features.

  Left to itself XLA transposes anew in every operation on the result, number by number.
  """
  n = x.shape[axis]
  size = min(COLUMNS, n)

  def move(k, total):
    first = jnp.minimum(k * size, n - size)
    part = lax.dynamic_slice_in_dim(x, first, size, axis)
    return lax.dynamic_update_slice_in_dim(total, part.T, first, 1 - axis)

  return lax.fori_loop(0, -(-n // size), move, jnp.zeros(x.shape[::-1], x.dtype))


def weighted_rows(table: Table, slots: Slots) -> Hidden:
  """Returns Σ value · row over the slots of each example."""

  def add(k, total):
    for slot in range(TOGETHER):
      slot = k * TOGETHER + slot
      row = table.at[slots.rows[slot]].get(mode="clip")
      total = total + row * slots.values[slot][:, None]
    return total

  zero = jnp.zeros((slots.rows.shape[1], table.shape[1]), table.dtype)
  return lax.fori_loop(0, _rounds(slots), add, zero)


def products(table: Table, h: Hidden, slots: Slots) -> Values:
  """Returns row · h for every slot of each example."""

  def add(k, z):
    rows = lax.dynamic_slice_in_dim(slots.rows, k * TOGETHER, TOGETHER).T.reshape(-1)
    own = table.at[rows].get(mode="clip").reshape(-1, TOGETHER, table.shape[1])
    return lax.dynamic_update_slice_in_dim(z, jnp.einsum("esm,em->se", own, h), k * TOGETHER, 0)

  return lax.fori_loop(0, _rounds(slots), add, jnp.zeros(slots.rows.shape, table.dtype))


def _rounds(slots: Slots) -> Array:
  return -(-slots.n_used // TOGETHER)


def add_to_rows(table: Table, slots: Slots, terms: list[tuple[Values, Hidden]]) -> Table:
  """Returns the table with Σ factor · vector over the terms added to the row of every slot."""

  def add(slot, table):
    each = [factor[slot][:, None] * vector for factor, vector in terms]
    return table.at[slots.rows[slot]].add(sum(each[1:], start=each[0]), mode="drop")

  return lax.fori_loop(0, slots.n_used, add, table)


# Weights, targets and activations before f, of any outputs → the slope of their weighted losses.
Slopes = Callable[[Array, Array, Array], Array]


class Sums(NamedTuple):
  """What outputs contribute to the gradient."""

  out: Float[Array, "member class hidden"]
  bias: Float[Array, "member class"]
  h: Float[Array, "group example hidden"]


def inactive(
  layout: Layout,
  slopes: Slopes,
  table: Table,
  bias: Float[Array, "row"],
  weights: Float[Array, "row"],
  silent: Scalar,
  h: Float[Array, "group example hidden"],
  present: Float[Array, "group example"],
) -> Sums:
  """Returns the gradient of each class for the group that it meets, as if no feature were active.

  Args:
    layout: of features and examples.
    slopes: of losses.
    table: out_i.
    bias: of the outputs.
    weights: of the outputs' losses.
    silent: target of a feature that is not active.
    h: of the group that each class meets.
    present: 0 for what fills up a group, and 1 elsewhere.
  """
  table, bias, weights = map(layout.by_class, (table, bias, weights))

  def add(k, sums: Sums) -> Sums:
    out, own = lax.dynamic_index_in_dim(table, k, 1, keepdims=False), h[k]
    slope = slopes(
      present[k][:, None] * weights[None, :, k], silent, own @ out.T + bias[None, :, k]
    )
    return Sums(
      lax.dynamic_update_slice_in_dim(sums.out, (slope.T @ own)[:, None], k, 1),
      sums.bias.at[:, k].set(jnp.sum(slope, axis=0)),
      sums.h.at[k].set(slope @ out),
    )

  return lax.fori_loop(0, layout.n_classes, add, Sums(*map(jnp.zeros_like, (table, bias, h))))


def slopes_of(one: Problem, instance: Instance) -> Slopes:
  """Returns the slopes of an instance's losses, for outputs of any features in any order."""
  losses, output = problem.output_loss(one.spec), one.model.output
  assert output is not None  # others are refused

  def slopes(weights: Array, target: Array, z: Array) -> Array:
    def total(z: Array) -> Scalar:
      weights_, target_, z_ = (jnp.broadcast_to(x, z.shape).ravel() for x in (weights, target, z))
      own = dataclasses.replace(instance, importance=weights_)
      return jnp.sum(losses(own, target_, output(z_)), axis=0)

    return jax.grad(total)(z)

  return slopes


def active(one: Problem, instance: Instance, key: KeyWords, layout: Layout, n_slots: int) -> Slots:
  """Returns the active features of a step's batch, in a multiple of TOGETHER slots."""
  positions, values = sparse.active(one, instance, key, n_slots)
  n_used = sparse.n_used(positions, layout.n_features)
  more = ((0, -n_slots % TOGETHER), (0, 0))
  rows = jnp.where(positions < layout.n_features, positions, layout.n_rows)
  rows = jnp.pad(rows, more, constant_values=layout.n_rows)
  return Slots(rows, jnp.pad(values, more), n_used)


def mean_penalty(one: Problem, params: Params, instance: Instance, h: Hidden) -> Scalar:
  """Returns the mean of the penalties over examples."""
  assert one.penalty is not None
  return jnp.mean(jax.vmap(one.penalty, (None, None, 0))(params, instance, h), axis=0)


def meeting(spec: Spec, key: KeyWords, n_classes: int) -> Int[Array, ""]:
  """Returns which meeting of groups and classes a step draws: in meeting r, group k meets class
  (k + r) modulo n_classes."""
  u = draws.uniform(spec.generator, draws.fold_in(key, MEETING), 1, 1)[0, 0]
  return jnp.minimum(jnp.floor(u * n_classes), n_classes - 1).astype(jnp.int32)


def gradient_at(
  one: Problem, instances: Instance
) -> Callable[[Params, Instance, KeyWords, Array], Params]:
  """Returns the gradient at a given meeting: a function of parameters, instance, key and it."""
  spec, model = one.spec, one.model
  n, n_slots = spec.n_features, sparse.n_slots(spec.n_features, float(np.max(instances.density)))
  every = spec.row("train.estimator").inactive_every
  layout = Layout(every, n, spec.batch_size)
  share = objective.share(one.reduction, n) / spec.batch_size
  hidden, rows_of = model.hidden, model.rows
  assert hidden is not None and rows_of is not None  # others are refused

  def gradient(params: Params, instance: Instance, key: KeyWords, met: Array) -> Params:
    slots = active(one, instance, key, layout, n_slots)
    rows, to_params = jax.vjp(rows_of, params)
    into = layout.of_features(transposed(rows.directions, 1))
    out = into if rows.out is None else layout.of_features(rows.out)
    bias = layout.of_features(rows.bias)
    weights = layout.of_features(share * instance.importance)
    silent = one.target(instance, jnp.zeros(1), jnp.zeros(1))[0]
    slopes = slopes_of(one, instance)
    h, to_z = jax.vjp(jax.vmap(hidden), weighted_rows(into, slots))

    # Row k is of the group that meets class k.
    own, present = (
      jnp.roll(layout.by_group(x), met, axis=0) for x in (h, jnp.ones(spec.batch_size))
    )
    sums = inactive(layout, slopes, out, bias, every * weights, silent, own, present)
    d_h = layout.by_example(jnp.roll(sums.h, -met, axis=0))

    # An active feature's output has its own target, and is not counted as an inactive one's.
    of_slot = jnp.append(weights, 0)[slots.rows]
    group = jnp.arange(spec.batch_size) // layout.group_size
    counted = every * (slots.rows % every == ((group + met) % every)[None])
    z = products(out, h, slots) + jnp.append(bias, 0)[slots.rows]
    target = jax.vmap(one.target, (None, 1, 1), 1)(instance, slots.values, slots.values)
    slope = slopes(of_slot, target, z) - slopes(counted * of_slot, silent, z)
    d_bias = sums.bias.ravel().at[slots.rows].add(slope, mode="drop")
    d_h = d_h + weighted_rows(out, slots._replace(values=slope))

    if one.penalty:
      of_params, of_h = jax.grad(mean_penalty, (1, 3))(one, params, instance, h)
      d_h = d_h + of_h
    (d_z,) = to_z(d_h)
    d_table, of_inputs, of_outputs = sums.out.reshape(out.shape), (slots.values, d_z), (slope, h)
    if rows.out is None:
      d_into, d_out = add_to_rows(d_table, slots, [of_outputs, of_inputs]), None
    else:
      d_into = add_to_rows(jnp.zeros_like(into), slots, [of_inputs])
      d_out = add_to_rows(d_table, slots, [of_outputs])[:n]
    (gradients,) = to_params(Rows(transposed(d_into[:n], 0), d_bias[:n], d_out))
    return jax.tree.map(jnp.add, gradients, of_params) if one.penalty else gradients

  return gradient


def make(one: Problem, instances: Instance) -> Method:
  """Returns a gradient whose mean over all meetings is that of `sparse` for the same batch.

  Inputs and loss are those of `sparse`: what is logged is the loss of all outputs.
  """
  batch, at = sparse.make(one, instances), gradient_at(one, instances)
  n_classes = one.spec.row("train.estimator").inactive_every

  def gradient(params: Params, instance: Instance, key: KeyWords):
    return None, at(params, instance, key, meeting(one.spec, key, n_classes))

  return Method(gradient, batch.loss, batch.inputs)


def refuses(spec: Spec, instances: Instance) -> str:
  """Returns why some of the outputs cannot be evaluated by themselves."""
  if reason := sparse.refuses(spec, instances):
    return reason
  if models.of(spec).rows is None:
    return f"outputs f(out_i · h + b_i), which {spec.model} has not"
  if not problem.outputs_are_features(spec):
    return f"outputs that are features, not config.data.target={spec.target!r}"
  for field, name in (("data.target", spec.target), ("loss.name", spec.loss)):
    if not scalarize.is_elementwise(problem.function_at_one(spec, field, name), 2):
      return f"targets and losses of each output by itself, not config.{field}={name!r}"
  return ""


def working_bytes(spec: Spec, instances: Instance) -> int:
  """Returns the bytes of a table of the directions and one of their gradient, and of the full
  batch's active features and hidden activations, and of the outputs of one class."""
  every = spec.row("train.estimator").inactive_every
  n_slots = sparse.n_slots(spec.n_features, float(np.max(instances.density)))
  of_example = SLOT_ARRAYS * n_slots + HIDDEN_ARRAYS * spec.n_hidden
  of_example += 2 * spec.n_features / every**2  # a class for its group
  return round(4 * (spec.batch_size * of_example + 2 * spec.n_features * spec.n_hidden))


@dataclass(frozen=True)
class Sampled:
  """The estimator, with its share of outputs."""

  inactive_every: int = integer(
    4,
    "≥ 1",
    "the output of a feature that is not active is evaluated in one of this many examples, and "
    "counted as many times; 1: in all",
  )

  # What Estimator declares.
  refuses: ClassVar = staticmethod(refuses)
  make: ClassVar = staticmethod(make)
  working_bytes: ClassVar = staticmethod(working_bytes)
  one_by_one: ClassVar[bool] = True
  cpu_options: ClassVar[Mapping[str, bool | str]] = types.MappingProxyType({})
