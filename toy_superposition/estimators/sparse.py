"""Encoder and its gradient over active features only: for thousands of features, few active.

Of the five matrix products of a step two have the inputs as a factor, and if hardly any input is
active, a loop over the active ones is much cheaper. They are not found by drawing every feature
either: the gaps between them are drawn, which is exactly the same process.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from toy_superposition import draws, models
from toy_superposition.distributions import DISTRIBUTIONS
from toy_superposition.draws import KeyWords
from toy_superposition.estimators import autodiff, blocked
from toy_superposition.estimators.estimator import Batch, Estimator, Method, Scalar
from toy_superposition.problem import Problem
from toy_superposition.types import Instance, Params, Spec

Positions = Int[Array, "slot example"]  # of the candidates; n_features for an unused slot
Values = Float[Array, "slot example"]
MAX_DENSITY = 0.1  # above, no gain is possible
# Slots beyond the mean number m of active features: SPREAD √m + SPARE. By Bernstein's inequality
# an example has more than that with a probability below 1e-13; any further active
# features would be dropped without notice.
SPREAD, SPARE = 8.0, 20.0
GAP_BLOCK = 1024  # features
WITHIN = 1  # folded into a step's key for the places within blocks
SLOT_ARRAYS = 8  # of (slot, example) that are kept at once, for planning memory


def n_slots(n_features: int, highest: float) -> int:
  """Returns how many active features an example may have."""
  mean = n_features * highest
  return min(n_features, math.ceil(mean + SPREAD * math.sqrt(mean) + SPARE))


def coarse_gaps(u: Values, density: Float[Array, ""]) -> Values:
  """Returns the numbers of silent features before an active one: a geometric distribution."""
  return jnp.floor(jnp.log1p(-u) / _log_silent(density))


def fine_gaps(u: Values, w: Values, density: Float[Array, ""]) -> Values:
  """Returns the same of two independent uniform numbers, for any density.

  A geometric number is a geometric number of blocks, and a place within the next one: both are so
  small that the digits of a float32 give every feature its density, where one quotient has as few
  values for a feature as 2²³ over its position.
  """
  log_silent = _log_silent(density)
  blocks = jnp.floor(jnp.log1p(-u) / (GAP_BLOCK * log_silent))
  within = jnp.floor(jnp.log1p(w * jnp.expm1(GAP_BLOCK * log_silent)) / log_silent)
  return GAP_BLOCK * blocks + jnp.minimum(within, GAP_BLOCK - 1)


def _log_silent(density: Float[Array, ""]) -> Float[Array, ""]:
  return jnp.log1p(-jnp.maximum(density, 1e-30))


def active(
  problem: Problem, instance: Instance, key: KeyWords, slots: int
) -> tuple[Positions, Values]:
  """Returns the active features of a step's batch, drawn gap by gap, and their values.

  An example's positions increase. A candidate that its density rejects has the value 0.
  """
  spec = problem.spec
  n, batch = spec.n_features, spec.batch_size
  distribution = spec.row("data.distribution")
  highest, rare = jnp.max(instance.density), problem.rare(instance)
  u, v = draws.uniform_pairs(spec.generator, key, slots, batch, rare)
  # Geometric gaps: candidates at the highest density; a feature is active in its share of them.
  gaps = coarse_gaps(u, highest)
  if rare is not None:
    w, _ = draws.uniform_pairs(spec.generator, draws.fold_in(key, WITHIN), slots, batch)
    gaps = jnp.where(rare, fine_gaps(u, w, highest), gaps)
  steps = 1 + jnp.minimum(gaps, n).astype(jnp.int32)
  positions = jnp.minimum(jnp.cumsum(steps, axis=0) - 1, n)
  share = instance.density / jnp.where(highest > 0, highest, 1)
  share = jnp.concatenate([share, jnp.zeros(1, jnp.float32)])[positions]

  def feature(v, density):  # of one active candidate, as if it were all of an example
    return distribution.features(v[None], dataclasses.replace(instance, density=density[None]))[0]

  return positions, jax.vmap(jax.vmap(feature))(v, share)


def dense(n_features: int, positions: Positions, values: Values) -> Batch:
  """Returns all features of examples of which the active ones are given."""
  example = lax.broadcasted_iota(jnp.int32, positions.shape, 1)
  zero = jnp.zeros((n_features, positions.shape[1]), jnp.float32)
  return zero.at[positions, example].add(values, mode="drop")


def make(problem: Problem, instances: Instance) -> Method:
  """Returns the gradient of the mean loss over a batch that is drawn gap by gap."""
  n = problem.spec.n_features
  slots = n_slots(n, float(np.max(instances.density)))
  hidden = problem.model.hidden
  assert hidden is not None  # others are refused

  def loss_of(params: Params, instance: Instance, positions: Positions, values: Values) -> Scalar:
    h = jax.vmap(hidden)(encode(params.directions, positions, values))
    x = dense(n, positions, values)
    target = jax.vmap(problem.target, (None, 1, 1), 1)(instance, x, x)
    losses = jax.vmap(problem.decoded_loss, in_axes=(None, None, 1, 0), out_axes=1)
    loss = problem.reduction(jnp.mean(losses(params, instance, target, h), axis=1))
    if problem.penalty:
      loss = loss + jnp.mean(jax.vmap(problem.penalty, (None, None, 0))(params, instance, h))
    return loss

  def over_blocks(function, params: Params, instance: Instance, key: KeyWords):
    positions, values = active(problem, instance, key, slots)

    def of_block(first: Array, size: int):
      block = (lax.dynamic_slice_in_dim(x, first, size, 1) for x in (positions, values))
      return function(params, instance, *block)

    return blocked.mean_over_blocks(of_block, problem.spec.batch_size)

  def loss(params: Params, instance: Instance, key: KeyWords) -> Scalar:
    return over_blocks(loss_of, params, instance, key)

  def gradient(params: Params, instance: Instance, key: KeyWords):
    return None, over_blocks(jax.grad(loss_of), params, instance, key)

  def inputs(instance: Instance, key: KeyWords) -> Batch:
    return dense(n, *active(problem, instance, key, slots))

  return Method(gradient, loss, inputs)


@jax.custom_vjp
def encode(
  W: Float[Array, "hidden feature"], positions: Positions, values: Values
) -> Float[Array, "example hidden"]:
  """Returns W x of each example, from its active features alone."""
  columns = jnp.concatenate([W.T, jnp.zeros((1, W.shape[0]), W.dtype)])

  def add(slot, total):
    return total + columns[positions[slot]] * values[slot][:, None]

  zero = jnp.zeros((positions.shape[1], W.shape[0]), W.dtype)
  return lax.fori_loop(0, n_used(positions, W.shape[1]), add, zero)


def n_used(positions: Positions, n_features: int) -> Array:
  """Returns the number of slots that any example uses; an example's used ones come first."""
  return jnp.max(jnp.sum(positions < n_features, axis=0), axis=0)


def _encode_forward(W, positions: Positions, values: Values):
  return encode(W, positions, values), (W, positions, values)


def _encode_backward(saved, cotangent: Float[Array, "example hidden"]):
  W, positions, values = saved

  def add(slot, total):
    return total.at[positions[slot]].add(cotangent * values[slot][:, None], mode="drop")

  return lax.fori_loop(0, n_used(positions, W.shape[1]), add, jnp.zeros_like(W.T)).T, None, None


encode.defvjp(_encode_forward, _encode_backward)


def refuses(spec: Spec, instances: Instance) -> str:
  """Returns why active features cannot be enumerated: dependent, or too many."""
  if not spec.row("data.distribution").independent:
    independent = [name for name, row in DISTRIBUTIONS.items() if row.independent]
    return f"features that are active independently ({', '.join(independent)})"
  if models.of(spec).hidden is None:
    return f"an encoder g(W x), which {spec.model} has not"
  if reason := autodiff.sees_other_than_features(spec):
    return reason
  if spec.attack:
    return f"config.loss.attack 0, not {spec.attack:g}: attacked inputs are dense"
  if (highest := np.max(instances.density)) > np.float32(MAX_DENSITY):
    return f"densities up to {MAX_DENSITY}, not {highest:g}"
  slots = n_slots(spec.n_features, float(highest))
  if slots * max(spec.n_features, spec.batch_size) >= 2**31:
    return "fewer features or examples: positions and counters have 32 bits"
  return ""


def working_bytes(spec: Spec, instances: Instance) -> int:
  """Returns the bytes of one block's arrays, whose outputs are dense, and of the full batch's
  active features."""
  slots = n_slots(spec.n_features, float(np.max(instances.density)))
  return blocked.working_bytes(spec, instances) + 4 * SLOT_ARRAYS * slots * spec.batch_size


SPARSE = Estimator(refuses, make, working_bytes, one_by_one=True)
