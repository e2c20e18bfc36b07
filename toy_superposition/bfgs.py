"""BFGS with one evaluation per step: for smooth losses without noise.

Many problems run in lock step, so a line search that takes as many evaluations as it likes would
make all wait for the slowest. Here a trial step is either accepted or shortened.

Not optimistix's BFGS: its test of the curvature sᵀy is absolute, which in float32 stops a descent
early. Here the test is relative to |s| |y|.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float

Point = Float[Array, "coordinate"]
Scalar = Float[Array, ""]

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
    step, hessian, slope = _direction(state)
    value, gradient = value_and_gradient(unravel(x + step))
    accepted, state = _accept(state, step, hessian, slope, value, ravel_pytree(gradient)[0])
    return unravel(jnp.where(accepted, step, 0)), state

  return optax.GradientTransformationExtraArgs(init, update)


def _times(matrix: Array, vector: Point) -> Point:
  """Returns the product; XLA's own for many tiny matrices is slower on CPU."""
  return jnp.sum(matrix * vector[None, :], axis=1)


def _direction(state: State) -> tuple[Point, Array, Scalar]:
  """Returns the next trial step, the inverse Hessian behind it, and the slope along it."""
  direction = -_times(state.inverse_hessian, state.gradient)
  descends = jnp.sum(state.gradient * direction, axis=0) < 0
  direction = jnp.where(descends, direction, -state.gradient)
  hessian = jnp.where(descends, state.inverse_hessian, jnp.eye(len(direction), dtype=jnp.float32))
  slope = state.length * jnp.sum(state.gradient * direction, axis=0)
  return state.length * direction, hessian, slope


def _accept(
  state: State, s: Point, hessian: Array, slope: Scalar, value: Scalar, gradient: Point
) -> tuple[Bool[Array, ""], State]:
  """Returns whether the trial step s is accepted, and the state after it."""
  accepted = value <= state.value + SUFFICIENT_DECREASE * slope
  first = jnp.isinf(state.value)
  y = gradient - state.gradient
  s_y, s_s, y_y = (jnp.sum(a * b, axis=0) for a, b in ((s, y), (s, s), (y, y)))
  curved = s_y > ROUND_OFF * jnp.sqrt(s_s * y_y)
  curvature = jnp.where(curved, s_y, 1)
  y_y = jnp.where(curved, y_y, 1)
  # The first update sets the scale: there is no other knowledge of the Hessian's size yet.
  eye = jnp.eye(len(s), dtype=jnp.float32)
  hessian = jnp.where(state.unscaled & curved, curvature / y_y * eye, hessian)
  h_y = _times(hessian, y)
  y_h_y = jnp.sum(y * h_y, axis=0)
  cross = s[:, None] * h_y[None, :]
  growth = (1 + y_h_y / curvature) * s[:, None] * s[None, :]
  updated = hessian + (growth - cross - cross.T) / curvature
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
