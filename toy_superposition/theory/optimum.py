"""The best that any weights and biases can do: the global minimum of the expected loss.

Many starts per problem, all problems in lock step, each start a BFGS descent with one evaluation
of loss and gradient per iteration: a trial step is either accepted or shortened.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float

from toy_superposition import streams
from toy_superposition.models import TiedParams
from toy_superposition.theory import expected_loss

Point = Float[Array, "coordinate"]

N_STARTS = 24
N_ITERATIONS = 150
START_SCALES = (0.7, 0.1)  # standard deviations of weights and biases at the start
SAME_LOSS = 1e-3  # starts within this relative distance of the best are counted as finding it
SUFFICIENT_DECREASE = 1e-4  # Armijo's constant
SHORTEN, LENGTHEN = 0.3, 4.0  # factors on a refused and on an accepted step, at most to 1
MIN_CURVATURE = 1e-12  # below this, sᵀy is round-off and says nothing about the curvature


class Optimum(NamedTuple):
  """Best solutions found, one per problem."""

  params: TiedParams
  loss: Float[Array, "*problem"]  # summed over features
  share_found: Float[Array, "*problem"]  # share of the starts that end within SAME_LOSS


class _Descent(NamedTuple):
  """State of one BFGS descent."""

  x: Point
  value: Float[Array, ""]
  gradient: Point
  inverse_hessian: Float[Array, "coordinate coordinate"]
  length: Float[Array, ""]  # of the next trial step, as a multiple of the quasi-Newton step
  unscaled: Bool[Array, ""]  # whether no step has told the size of the Hessian yet


def _descend(function: Callable[[Point], tuple[Array, Point]], state: _Descent) -> _Descent:
  """Returns the state after one trial step; `function` returns value and gradient."""
  eye = jnp.eye(state.x.shape[0])
  direction = -state.inverse_hessian @ state.gradient
  descends = state.gradient @ direction < 0
  direction = jnp.where(descends, direction, -state.gradient)
  hessian = jnp.where(descends, state.inverse_hessian, eye)
  x = state.x + state.length * direction
  value, gradient = function(x)
  enough = SUFFICIENT_DECREASE * state.length * (state.gradient @ direction)
  accepted = value <= state.value + enough

  s, y = x - state.x, gradient - state.gradient
  curved = s @ y > MIN_CURVATURE
  curvature = jnp.where(curved, s @ y, 1)
  # The first update sets the scale: there is no other knowledge of the Hessian's size yet.
  scale = curvature / jnp.where(curved, y @ y, 1)
  hessian = jnp.where(state.unscaled & curved, scale * eye, hessian)
  shear = eye - jnp.outer(s, y) / curvature
  updated = shear @ hessian @ shear.T + jnp.outer(s, s) / curvature
  hessian = jnp.where(curved, updated, hessian)
  longer = jnp.minimum(1, LENGTHEN * state.length)
  step = _Descent(x, value, gradient, hessian, longer, state.unscaled & ~curved)
  stay = state._replace(length=SHORTEN * state.length)
  return jax.tree.map(lambda a, b: jnp.where(accepted, a, b), step, stay)


def minimize(
  function: Callable[[Point], Float[Array, ""]], start: Point, n_iterations: int
) -> tuple[Point, Float[Array, ""]]:
  """Returns a local minimum of a smooth function near `start`, and its value.

  Fixed number of evaluations, so that `vmap` over starts wastes none on waiting.
  """
  both = jax.value_and_grad(function)
  value, gradient = both(start)
  length = 0.5 / jnp.maximum(jnp.linalg.norm(gradient), MIN_CURVATURE)
  state = _Descent(start, value, gradient, jnp.eye(start.shape[0]), length, jnp.array(True))
  state = lax.fori_loop(0, n_iterations, lambda i, s: _descend(both, s), state)
  return state.x, state.value


def global_minimum(
  density: Float[Array, "problem feature"],
  importance: Float[Array, "problem feature"],
  n_hidden: int,
  *,
  relu: bool = True,
  n_starts: int = N_STARTS,
  n_iterations: int = N_ITERATIONS,
) -> Optimum:
  """Returns the best weights and biases found for each problem, over random starts.

  The starts are the same for every problem and every call. A global minimum cannot be proved
  this way; `share_found` says how many of the starts agree on it.
  """
  n_features = density.shape[-1]
  key_w, key_b = jax.random.split(streams.root(0))
  scale_w, scale_b = START_SCALES
  starts = TiedParams(
    W=scale_w * jax.random.normal(key_w, (n_starts, n_hidden, n_features)),
    b=scale_b * jax.random.normal(key_b, (n_starts, n_features)),
  )

  def descend(start: TiedParams, density: Array, importance: Array):
    flat, unravel = ravel_pytree(start)

    def loss(x):
      feature_loss = expected_loss.expected_feature_loss(unravel(x), density, importance, relu=relu)
      return jnp.sum(feature_loss, axis=0)

    x, value = minimize(loss, flat, n_iterations)
    return unravel(x), value

  def best(density: Array, importance: Array):
    params, value = jax.vmap(descend, in_axes=(0, None, None))(starts, density, importance)
    value = jnp.where(jnp.isfinite(value), value, jnp.inf)
    chosen = jnp.argmin(value, axis=0)
    found = jnp.mean(value <= value[chosen] * (1 + SAME_LOSS), axis=0)
    return Optimum(jax.tree.map(lambda leaf: leaf[chosen], params), value[chosen], found)

  return jax.vmap(best)(density, importance)
