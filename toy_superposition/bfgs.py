"""BFGS with one evaluation per step: for smooth losses without noise.

Many problems run in lock step, so a line search that takes as many evaluations as it likes would
make all wait for the slowest. Here a trial step is either accepted or shortened.

Not optimistix's BFGS: its test of the curvature sᵀy is absolute, which in float32 stops a descent
early. Here the test is relative to |s| |y|.
"""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int

from toy_superposition import scalarize
from toy_superposition.interpret import Unsupported

Point = Float[Array, "coordinate"]
Scalar = Float[Array, ""]
Step = Int[Array, ""] | int

MAX_SCALARS = 4  # coordinates that are written out: the compile time grows with their square
FIRST_LENGTH = 0.5  # of the first step, along the gradient
SUFFICIENT_DECREASE = 1e-4  # Armijo's constant
SHORTEN, LENGTHEN = 0.3, 4.0  # factors on a refused and on an accepted step, at most to 1
ROUND_OFF = 1e-6  # sᵀy below this share of |s| |y| carries no information about the curvature
TINY = 1e-30  # instead of a gradient's norm of 0


class State(NamedTuple):
  """State of a descent at its present point."""

  value: Scalar  # infinite before the first evaluation
  gradient: Point
  inverse_hessian: Float[Array, "coordinate coordinate"]
  length: Scalar  # of the next trial step, as a multiple of the quasi-Newton step
  unscaled: Bool[Array, ""]  # whether the size of the Hessian is still unknown


class Trial(NamedTuple):
  """A trial step."""

  step: Point
  slope: Scalar  # along the step: what the value changes by to first order
  descends: Bool[Array, ""]  # whether the inverse Hessian gave the direction; else it is replaced


def bfgs() -> optax.GradientTransformationExtraArgs:
  """Returns the descent as an optax transformation.

  Its `update` takes the keyword `value_and_gradient`, a function of parameters, evaluates it once,
  at a trial point, and returns the step there or none. The gradients that it is given are not
  used, and the first update only evaluates where it stands. There is no learning rate.
  """

  def init(params) -> State:
    x, _ = ravel_pytree(params)
    n = x.shape[0]
    return State(
      value=jnp.float32(jnp.inf),
      gradient=jnp.zeros(n, jnp.float32),
      inverse_hessian=jnp.eye(n, dtype=jnp.float32),
      length=jnp.float32(1),
      unscaled=jnp.array(True),
    )

  def update(gradients, state: State, params, *, value_and_gradient, **_):
    del gradients
    x, unravel = ravel_pytree(params)
    trial = _trial(state)
    value, gradient = value_and_gradient(unravel(x + trial.step))
    accepted, state = _accept(state, trial, value, ravel_pytree(gradient)[0])
    return unravel(jnp.where(accepted, trial.step, 0)), state

  return optax.GradientTransformationExtraArgs(init, update)


def descend(
  value_and_gradient: Callable[[Any, Array], tuple[Array, Any]],
  params: Any,
  state: State,
  first: Step,
  last: Step,
) -> tuple[Any, State]:
  """Returns parameters and state after the updates first … last − 1.

  Of few coordinates, all but the value and its gradient is written out in scalars: XLA is slow at
  many tiny matrices. The inverse Hessian is then exactly symmetric.

  Args:
    value_and_gradient: of (parameters, number of the update).
    params: where the descent stands.
    state: before the update `first`.
    first: number of the first update.
    last: one more than the number of the last update.
  """
  if len(ravel_pytree(params)[0]) <= MAX_SCALARS:
    # A newer jax may have an operation here that scalarize does not know.
    with contextlib.suppress(Unsupported):
      return _descend_in_scalars(value_and_gradient, params, state, first, last)
  descent = bfgs()

  def body(step: Array, carry: tuple[Any, State]) -> tuple[Any, State]:
    params, state = carry
    moves, state = descent.update(
      None, state, params, value_and_gradient=lambda params: value_and_gradient(params, step)
    )
    return optax.apply_updates(params, moves), state

  return lax.fori_loop(first, last, body, (params, state))


def _descend_in_scalars(
  value_and_gradient: Callable[[Any, Array], tuple[Array, Any]],
  params: Any,
  state: State,
  first: Step,
  last: Step,
) -> tuple[Any, State]:
  """Returns what `descend` does, carrying one scalar per element: over instances, one array each.

  Arrays would be joined and divided again in every update, which takes longer than the arithmetic.
  """
  x, unravel = ravel_pytree(params)

  def ahead(x: Point, packed: State) -> tuple[Point, Trial]:
    trial = _trial(_unpacked(packed, len(x)))
    return x + trial.step, trial

  def after(x: Point, packed: State, trial: Trial, value: Scalar, gradient: Point):
    accepted, state = _accept(_unpacked(packed, len(x)), trial, value, gradient)
    return jnp.where(accepted, x + trial.step, x), _packed(state)

  def written_out(step: Array, carry: list) -> list:
    x, packed = jax.tree.unflatten(tree, map(scalarize.pack, carry, shapes))
    tried, trial = scalarize.in_one_loop(ahead, x, packed)
    value, gradient = value_and_gradient(unravel(scalarize.join(tried)), step)
    gradient = np.concatenate([scalarize.split(g).ravel() for g in jax.tree.leaves(gradient)])
    moved = scalarize.in_one_loop(after, x, packed, trial, scalarize.split(value), gradient)
    return [[*leaf.flat] for leaf in jax.tree.leaves(moved)]

  leaves, tree = jax.tree.flatten((x, _packed(state)))
  shapes = [leaf.shape for leaf in leaves]
  start = [[*scalarize.split(leaf).flat] for leaf in leaves]
  end = lax.fori_loop(first, last, written_out, start)
  x, packed = jax.tree.unflatten(
    tree, [scalarize.join(scalarize.pack(e, s)) for e, s in zip(end, shapes, strict=True)]
  )
  return unravel(x), _unpacked(packed, len(x))


def _packed(state: State) -> State:
  """Returns the state with the lower triangle of its inverse Hessian, row by row."""
  rows = [row[: i + 1] for i, row in enumerate(state.inverse_hessian)]
  return state._replace(inverse_hessian=jnp.concatenate(rows))


def _unpacked(packed: State, n: int) -> State:
  """Returns the state with a full inverse Hessian."""
  triangle, both = packed.inverse_hessian, [(i, j) for i in range(n) for j in range(n)]
  at = [max(i, j) * (max(i, j) + 1) // 2 + min(i, j) for i, j in both]
  full = jnp.concatenate([triangle[k : k + 1] for k in at]).reshape(n, n)
  return packed._replace(inverse_hessian=full)


def _times(matrix: Array, vector: Point) -> Point:
  """Returns the product; XLA's own for many tiny matrices is slower on CPU."""
  return jnp.sum(matrix * vector[None, :], axis=1)


def _trial(state: State) -> Trial:
  """Returns the next trial step."""
  direction = -_times(state.inverse_hessian, state.gradient)
  descends = jnp.sum(state.gradient * direction, axis=0) < 0
  direction = jnp.where(descends, direction, -state.gradient)
  slope = state.length * jnp.sum(state.gradient * direction, axis=0)
  return Trial(state.length * direction, slope, descends)


def _accept(
  state: State, trial: Trial, value: Scalar, gradient: Point
) -> tuple[Bool[Array, ""], State]:
  """Returns whether the trial step is accepted, and the state after it."""
  s, eye = trial.step, jnp.eye(len(trial.step), dtype=jnp.float32)
  hessian = jnp.where(trial.descends, state.inverse_hessian, eye)
  accepted = value <= state.value + SUFFICIENT_DECREASE * trial.slope
  first = jnp.isinf(state.value)
  y = gradient - state.gradient
  s_y, s_s, y_y = (jnp.sum(a * b, axis=0) for a, b in ((s, y), (s, s), (y, y)))
  curved = s_y > ROUND_OFF * jnp.sqrt(s_s * y_y)
  curvature = jnp.where(curved, s_y, 1)
  y_y = jnp.where(curved, y_y, 1)
  # The first update sets the scale: there is no other knowledge of the Hessian's size yet.
  hessian = jnp.where(state.unscaled & curved, curvature / y_y * eye, hessian)
  h_y = _times(hessian, y)
  y_h_y = jnp.sum(y * h_y, axis=0)
  # H + (1 + yᵀHy / sᵀy) s sᵀ / sᵀy − (s (Hy)ᵀ + Hy sᵀ) / sᵀy
  inverse = 1 / curvature  # a division per element would be most of the work
  half = (0.5 * (1 + y_h_y * inverse) * s - h_y) * inverse
  updated = hessian + (s[:, None] * half[None, :] + half[:, None] * s[None, :])
  norm = jnp.sqrt(jnp.sum(gradient * gradient, axis=0))
  start = FIRST_LENGTH / jnp.maximum(norm, TINY)
  moved = State(
    value=value,
    gradient=gradient,
    inverse_hessian=jnp.where(curved, updated, hessian),
    length=jnp.where(first, start, jnp.minimum(1, LENGTHEN * state.length)),
    unscaled=state.unscaled & ~curved,
  )
  stay = state._replace(length=SHORTEN * state.length)
  return accepted, jax.tree.map(lambda a, b: jnp.where(accepted, a, b), moved, stay)
