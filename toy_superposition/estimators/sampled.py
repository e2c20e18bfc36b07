"""`sparse` with a share of the outputs of inactive features: for thousands of features.

Five sixths of a step of `sparse` are its decoder, and nearly all outputs are of features that are
not active, to which all examples contribute alike. So the output of an inactive feature is
evaluated in one of `inactive_every` examples and counted that many times; those of an example's
active features are all evaluated. The gradient is noisier than the batch's, and right on average.

Features are divided into as many classes, i mod inactive_every, and the examples of a step into as
many groups. Every class meets one group, so that each output is evaluated for an equal share of
the batch and the decoder stays a matrix product, one for each class. Which group is drawn: over all
draws, the mean is the gradient of the full batch.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from toy_superposition import draws, models, objective, scalarize, sizes
from toy_superposition import problem as problem_module
from toy_superposition.declare import integer
from toy_superposition.draws import KeyWords
from toy_superposition.estimators import sparse
from toy_superposition.estimators.estimator import Method, Scalar
from toy_superposition.estimators.sparse import Positions, Values
from toy_superposition.models.model import Rows
from toy_superposition.problem import Problem
from toy_superposition.types import Instance, Params, Spec

Hidden = Float[Array, "example hidden"]
Table = Float[Array, "row hidden"]  # features by class
MEETING = 2  # folded into a step's key for which group of examples meets which class
TOGETHER = 4  # slots whose rows are gathered at once


class Layout(NamedTuple):
  """How features are divided into classes and examples into groups, filled up with zeros."""

  n_classes: int
  n_features: int
  n_examples: int

  @property
  def n_rows(self) -> int:
    """The number of features in a class."""
    return -(-self.n_features // self.n_classes)

  def by_class(self, x: Float[Array, "feature *rest"]) -> Float[Array, "class row *rest"]:
    """Returns numbers of features by class."""
    x = jnp.pad(x, ((0, self.n_rows * self.n_classes - self.n_features), *_unpadded(x)))
    return jnp.swapaxes(x.reshape(self.n_rows, self.n_classes, *x.shape[1:]), 0, 1)

  def row(self, positions: Positions) -> Positions:
    """Returns the places of features in what `by_class` returns, its classes joined."""
    n, rows = self.n_classes, self.n_rows
    return jnp.where(
      positions < self.n_features, positions % n * rows + positions // n, n * rows
    )

  def by_group(self, x: Float[Array, "example *rest"]) -> Float[Array, "group example *rest"]:
    """Returns numbers of examples by group."""
    each = -(-self.n_examples // self.n_classes)
    x = jnp.pad(x, ((0, each * self.n_classes - self.n_examples), *_unpadded(x)))
    return x.reshape(self.n_classes, each, *x.shape[1:])

  def joined(self, x: Float[Array, "group example *rest"]) -> Float[Array, "example *rest"]:
    """Returns numbers of groups of examples by example."""
    return x.reshape(-1, *x.shape[2:])[: self.n_examples]


def _unpadded(x: Array) -> list[tuple[int, int]]:
  return [(0, 0)] * (x.ndim - 1)


class Slots(NamedTuple):
  """The active features of a batch."""

  rows: Int[Array, "slot example"]  # of tables; beyond the last for an unused slot
  values: Values
  n_used: Int[Array, ""]  # slots that any example uses


def encode(table: Table, slots: Slots) -> Hidden:
  """Returns Σ_i x_i into_i of each example."""

  def add(k, total):
    for i in range(TOGETHER):
      slot = k * TOGETHER + i
      total = total + table.at[slots.rows[slot]].get(mode="clip") * slots.values[slot][:, None]
    return total

  zero = jnp.zeros((slots.rows.shape[1], table.shape[1]), table.dtype)
  return lax.fori_loop(0, -(-slots.n_used // TOGETHER), add, zero)


def decode(table: Table, h: Hidden, slots: Slots) -> Values:
  """Returns out_i · h of the active features of each example."""

  def add(k, z):
    rows = lax.dynamic_slice_in_dim(slots.rows, k * TOGETHER, TOGETHER).T.reshape(-1)
    own = lax.optimization_barrier(table.at[rows].get(mode="clip"))
    own = own.reshape(-1, TOGETHER, table.shape[1])
    return lax.dynamic_update_slice_in_dim(z, jnp.einsum("esm,em->se", own, h), k * TOGETHER, 0)

  zero = jnp.zeros(slots.rows.shape, table.dtype)
  return lax.fori_loop(0, -(-slots.n_used // TOGETHER), add, zero)


def make(problem: Problem, instances: Instance) -> Method:
  """Returns a gradient whose mean over all draws is that of sparse, and the loss of sparse."""
  spec, model = problem.spec, problem.model
  slots = sparse.n_slots(spec.n_features, float(np.max(instances.density)))
  every = spec.row("train.estimator").inactive_every
  layout = Layout(every, spec.n_features, spec.batch_size)
  share = objective.share(problem.reduction, spec.n_features) / spec.batch_size

  def of_params(params: Params) -> Rows:
    return jax.tree.map(layout.by_class, model.rows(params))

  def slopes(instance, weights, target, z):
    """Returns d/dz of weighted losses."""

    def total(z):
      own = dataclasses.replace(instance, importance=weights.reshape(-1))
      each = loss_of(own, jnp.broadcast_to(target, z.shape).reshape(-1), model.output(z.reshape(-1)))
      return jnp.sum(each)

    return jax.grad(total)(z)

  loss_of = problem_module.output_loss(spec)

  def gradient(params: Params, instance: Instance, key: KeyWords):
    positions, values = sparse.active(problem, instance, key, slots)
    extra = -slots % TOGETHER
    pos = jnp.pad(positions, ((0, extra), (0, 0)), constant_values=spec.n_features)
    vals = jnp.pad(values, ((0, extra), (0, 0)))
    active = Slots(layout.row(pos), vals, sparse.n_used(positions, spec.n_features))
    tables, pull_back = jax.vjp(of_params, params)
    flat = lambda t: t.reshape(-1, t.shape[-1])
    into = flat(tables.into)
    out3 = tables.into if tables.out is None else tables.out
    out = flat(out3)
    h, to_z = jax.vjp(jax.vmap(model.hidden), encode(into, active))
    nothing = problem.target(instance, jnp.zeros(1), jnp.zeros(1))[0]
    importance = share * layout.by_class(instance.importance)

    u = draws.uniform(spec.generator, draws.fold_in(key, MEETING), 1, 1)[0, 0]
    meeting = jnp.minimum(jnp.floor(u * every), every - 1).astype(jnp.int32)
    hc = jnp.roll(layout.by_group(h), meeting, axis=0)
    z = jnp.einsum("cem,crm->cer", hc, out3) + tables.bias[:, None]
    there = jnp.roll(layout.by_group(jnp.ones(spec.batch_size)), meeting, axis=0)
    w = every * importance[:, None] * there[:, :, None]
    g = slopes(instance, w, nothing, z)
    d_out = jnp.einsum("cer,cem->crm", g, hc)
    d_h = layout.joined(jnp.roll(jnp.einsum("cer,crm->cem", g, out3), -meeting, axis=0))
    d_bias = jnp.sum(g, axis=1)

    # active
    imp = jnp.append(importance.reshape(-1), 0)[active.rows]
    z = decode(out, h, active) + tables.bias.reshape(-1).at[active.rows].get(mode="clip")
    group = jnp.arange(spec.batch_size) // (-(-spec.batch_size // every))
    seen = (active.rows // layout.n_rows) == ((group + meeting) % every)[None]
    target = jax.vmap(lambda v: problem.target(instance, v, v), 1, 1)(active.values)
    g = slopes(instance, imp, target, z) - slopes(instance, every * imp * seen, nothing, z)
    d_bias = d_bias.reshape(-1).at[active.rows].add(g, mode="drop").reshape(d_bias.shape)
    d_h = d_h + encode(out, active._replace(values=g))
    (d_z,) = to_z(d_h)

    if tables.out is None:
      def add(k, d):
        upd = h * g[k][:, None] + d_z * active.values[k][:, None]
        return d.at[active.rows[k]].add(upd, mode="drop")
      d_into = lax.fori_loop(0, active.n_used, add, flat(d_out)).reshape(d_out.shape)
      d_out = None
    else:
      def add(k, d):
        a, b = d
        return (a.at[active.rows[k]].add(d_z * active.values[k][:, None], mode="drop"),
           b.at[active.rows[k]].add(h * g[k][:, None], mode="drop"))
      d_into, dd = lax.fori_loop(0, active.n_used, add, (jnp.zeros_like(into), flat(d_out)))
      d_into, d_out = d_into.reshape(tables.into.shape), dd.reshape(d_out.shape)
    return None, pull_back(Rows(d_into, d_bias, d_out))[0]

  batch = sparse.make(problem, instances)
  return Method(gradient, batch.loss, batch.inputs)


@dataclass(frozen=True)
class Sampled:
  """x"""

  inactive_every: int = integer(16, "≥ 1", "x")
  one_by_one: ClassVar[bool] = True
  cpu_options: ClassVar = {}
  make: ClassVar = staticmethod(make)
  refuses: ClassVar = staticmethod(sparse.refuses)
  working_bytes: ClassVar = staticmethod(sparse.working_bytes)
