"""Stochastic parameter decomposition (SPD) of one trained toy model, in one compiled scan.

Bushnaq, Braun and Sharkey (2025). Every matrix W of the target, (out, in), becomes a sum of
rank-one components, Σ_c u_c v_cᵀ. How much an input a needs component c is its importance, a number
g_c on [0, 1] that a small network makes of v_c · a alone. Components are trained to add up to W,
and such that the output stays the same if each of them is scaled by any number between g_c and 1,
while the g_c are small.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax import lax
from jaxtyping import Array, Float

from toy_superposition import draws, streams
from toy_superposition.optimizers import SCHEDULES
from toy_superposition.problem import Problem
from toy_superposition.types import Instance, Params

Batch = Array  # (unit, example)
Matrix = Array  # (out, in)
Scalar = Float[Array, ""]

GATE = 16  # hidden units of a component's network
LEAK = 0.01  # slope of a gate where it is closed or fully open, without which it would stay there
INIT, STEPS = 0, 1  # folded into an instance's key: for components at the start, for steps


class Settings(NamedTuple):
  """How a target is decomposed."""

  n_components: int  # C, of every matrix
  coefficient: float  # of importance minimality
  power: float  # p of importance minimality, Σ_c g_c^p
  steps: int
  n_active: int  # examples of a step in which any feature is active: those that are drawn
  learning_rate: float = 1e-3  # Adam's, falling to 0 by a cosine


@struct.dataclass
class Components:
  """The components of one matrix, and the networks that say how much each is needed."""

  # Matrices of one model differ in size, which run-time type checks of axes would refuse.
  U: Any  # (component, out)
  V: Any  # (component, in)
  w1: Any  # (component, gate), likewise b1 and w2
  b1: Any
  w2: Any
  b2: Any  # (component,)

  @property
  def sum(self) -> Matrix:
    """Σ_c u_c v_cᵀ."""
    return self.U.T @ self.V


def matrices(params: Params, has_middle: bool) -> tuple[Matrix, ...]:
  """Returns the target's matrices: W, the identity in the middle if it has one, and Wᵀ."""
  middle = (jnp.eye(params.W.shape[0], dtype=params.W.dtype),) if has_middle else ()
  return (params.W, *middle, params.W.T)


def init(key: Array, targets: Sequence[Matrix], n_components: int) -> tuple[Components, ...]:
  """Returns components at the start: normal numbers, of variance 1/in for v and 1/C for u, so that
  their sum has the variance 1/in."""
  found = []
  for number, target in enumerate(targets):
    n_out, n_in = target.shape
    keys = jax.random.split(jax.random.fold_in(key, number), 4)
    shape = (n_components, GATE)
    found.append(
      Components(
        U=jax.random.normal(keys[0], (n_components, n_out)) / n_components**0.5,
        V=jax.random.normal(keys[1], (n_components, n_in)) / n_in**0.5,
        w1=jax.random.normal(keys[2], shape) * 2**0.5,
        b1=jnp.zeros(shape),
        w2=jax.random.normal(keys[3], shape) / GATE**0.5,
        b2=jnp.zeros(n_components),
      )
    )
  return tuple(found)


def gate(part: Components, a: Batch) -> Float[Array, "component example"]:
  """Returns z of every component, from its own activation v · a."""
  h = part.V @ a
  hidden = jax.nn.gelu(part.w1[:, :, None] * h[:, None, :] + part.b1[:, :, None])
  return jnp.einsum("cg,cge->ce", part.w2, hidden) + part.b2[:, None]


@jax.custom_vjp
def opening(z: Array) -> Array:
  """Returns z clipped to [0, 1], as masks use it.

  Its derivative is LEAK below 0 where a step would raise z, so that closed gates can open again.
  """
  return jnp.clip(z, 0, 1)


def _opening_backward(z: Array, g: Array) -> tuple[Array]:
  below = jnp.where(g < 0, LEAK * g, 0)
  return (jnp.where(z <= 0, below, jnp.where(z <= 1, g, 0)),)


opening.defvjp(lambda z: (opening(z), z), _opening_backward)


def closing(z: Array) -> Array:
  """Returns z clipped to [0, 1], but with a slope of LEAK above 1: the form that is penalised."""
  return jnp.where(z > 1, 1 + LEAK * (z - 1), jnp.clip(z, 0, 1))


def output(weights: Sequence[Any], b: Array, x: Batch) -> Batch:
  """Returns ReLU(… W x + b) of matrices, or of (components, masks) in their place."""
  for one in weights:
    if isinstance(one, tuple):
      part, mask = one
      x = part.U.T @ (mask * (part.V @ x))
    else:
      x = one @ x
  return jax.nn.relu(x + b[:, None])


def some_active(density: Float[Array, "feature"]) -> Scalar:
  """Returns the probability that any feature is active."""
  return 1 - jnp.prod(1 - density, axis=0)


def active_examples(
  u: Float[Array, "draw example"], density: Float[Array, "feature"]
) -> Float[Array, "feature example"]:
  """Returns features, uniform on [0, 1] where active, given that at least one of them is.

  All other examples have the output ReLU(b) whatever the masks are: they are not drawn but counted
  (`losses`), which leaves the expected gradient as it is and makes it less noisy.

  Args:
    u: 2 n + 1 uniform numbers for each example of n features.
    density: of the features.
  """
  n = density.shape[0]
  none_before = jnp.cumprod(jnp.concatenate([jnp.ones(1), 1 - density[:-1]]), axis=0)
  reached = jnp.cumsum(none_before * density, axis=0)  # probability that the first is up to here
  first = jnp.sum(u[:1] * reached[-1] >= reached[:-1, None], axis=0, keepdims=True)
  number = jnp.arange(n)[:, None]
  active = (number == first) | ((number > first) & (u[1 : n + 1] < density[:, None]))
  return jnp.where(active, u[n + 1 :], 0)


def losses(
  parts: Sequence[Components],
  targets: Sequence[Matrix],
  b: Float[Array, "feature"],
  x: Batch,
  r: Any,
  share: Scalar,
  settings: Settings,
) -> Scalar:
  """Returns the objective: how far the components' sum is from the matrices, the error of outputs
  with all matrices masked and with one of them, and the sum of importances.

  Args:
    parts: components of every matrix.
    targets: the matrices.
    b: the target's bias, which is not decomposed.
    x: features of examples in which any is active.
    r: (pass, matrix, component, example), uniform numbers of masks g + (1 − g) r: of the pass with
      all matrices masked, and of those with one of them.
    share: of examples in which any feature is active.
    settings: of the decomposition.
  """
  seen = [x]
  for target in targets[:-1]:
    seen.append(target @ seen[-1])
  z = [gate(part, a) for part, a in zip(parts, seen, strict=True)]
  g = [opening(one) for one in z]
  y = output(targets, b, x)
  masks = [[one + (1 - one) * own for one, own in zip(g, of_pass, strict=True)] for of_pass in r]
  every, alone = (list(zip(parts, one, strict=True)) for one in masks)
  silent = [gate(part, jnp.zeros_like(a[:, :1])) for part, a in zip(parts, seen, strict=True)]
  size = sum(target.size for target in targets)

  def error(weights: Sequence[Any]) -> Scalar:
    return jnp.mean((y - output(weights, b, x)) ** 2, axis=(0, 1))

  def needed(z: Array) -> Scalar:
    return jnp.mean(jnp.sum(closing(z) ** settings.power, axis=0), axis=0)

  unfaithful = [target - part.sum for part, target in zip(parts, targets, strict=True)]
  layerwise = [error([*targets[:k], alone[k], *targets[k + 1 :]]) for k in range(len(targets))]
  importance = [
    share * needed(one) + (1 - share) * needed(zero) for one, zero in zip(z, silent, strict=True)
  ]
  return (
    sum(jnp.sum(rest**2, axis=(0, 1)) for rest in unfaithful) / size
    + share * (error(every) + sum(layerwise) / len(layerwise))
    + settings.coefficient * sum(importance)
  )


def decomposed(
  problem: Problem, params: Params, instance: Instance, has_middle: bool, settings: Settings
) -> tuple[Components, ...]:
  """Returns the components of one model's matrices after training on fresh examples.

  The features of a step are the same with and without an identity in the middle.
  """
  targets = matrices(params, has_middle)
  root = streams.root(problem.spec.seed)
  key = streams.key(root, streams.Stream.DECOMPOSE, instance.index)
  start = init(jax.random.fold_in(key, INIT), targets, settings.n_components)
  of_steps = jax.random.key_data(jax.random.fold_in(key, STEPS))
  factor = SCHEDULES["cosine"]
  optimizer = optax.adam(lambda t: settings.learning_rate * factor(t, settings.steps))
  generator, n_draws = problem.spec.generator, 2 * targets[0].shape[1] + 1
  passes = (2, len(targets), settings.n_components)
  share = some_active(instance.density)

  def objective(parts: tuple[Components, ...], t: Array) -> Scalar:
    of_features, of_masks = (draws.fold_in(draws.fold_in(of_steps, t), k) for k in (0, 1))
    u = draws.uniform(generator, of_features, n_draws, settings.n_active)
    r = draws.uniform(generator, of_masks, math.prod(passes), settings.n_active)
    x, r = active_examples(u, instance.density), r.reshape(*passes, settings.n_active)
    return losses(parts, targets, params.b, x, r, share, settings)

  def step(carry: Any, t: Array) -> tuple[Any, None]:
    parts, state = carry
    gradient = jax.grad(objective)(parts, t)
    updates, state = optimizer.update(gradient, state)
    return (optax.apply_updates(parts, updates), state), None

  numbers = jnp.arange(settings.steps, dtype=jnp.uint32)
  (parts, _), _ = lax.scan(step, (start, optimizer.init(start)), numbers)
  return parts
