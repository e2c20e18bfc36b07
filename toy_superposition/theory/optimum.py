"""The best that any weights and biases can do: the global minimum of the expected loss.

Many starts per problem, all problems in lock step, each start a BFGS descent with one evaluation
of loss and gradient per iteration (bfgs.py).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toy_superposition import bfgs, streams
from toy_superposition.models import AutoencoderParams
from toy_superposition.theory import expected_loss

N_STARTS = 24
N_ITERATIONS = 150
MATRICES = 12  # of the Hessian's size that a descent keeps at once, for planning memory
START_SCALES = (0.7, 0.1)  # standard deviations of weights and biases at the start
SAME_LOSS = 1e-3  # starts within this relative distance of the best are counted as finding it


def linear_loss(
  variance: Float[np.ndarray, "*problem feature"],
  importance: Float[np.ndarray, "*problem feature"],
  n_hidden: int,
) -> Float[np.ndarray, "*problem"]:
  """Returns the lowest loss of any linear map of rank `n_hidden` with biases, summed over features.

  The features are uncorrelated. Their costs I_i Var x_i are those of ignoring them, and the map of
  least loss keeps those that cost most (Eckart and Young): it is a projection onto axes, and so a
  WᵀW.
  """
  costs = np.sort(importance * variance, axis=-1)
  return np.asarray(costs[..., : max(costs.shape[-1] - n_hidden, 0)].sum(axis=-1))


class Optimum(NamedTuple):
  """Best solutions found, one per problem."""

  params: AutoencoderParams
  loss: Float[Array, "*problem"]  # summed over features
  share_found: Float[Array, "*problem"]  # share of the starts that end within SAME_LOSS


def minimize(
  value_and_gradient: Callable[[Any], tuple[Array, Any]], start: Any, n_iterations: int
) -> tuple[Any, Float[Array, ""]]:
  """Returns a local minimum of a smooth function of a pytree near `start`, and its value.

  Fixed number of evaluations, so that `vmap` over starts wastes none on waiting.
  """
  x, state = bfgs.descend(
    lambda x, _: value_and_gradient(x), start, bfgs.bfgs().init(start), 0, n_iterations
  )
  return x, state.value


def descent_bytes(*, n_features: int, n_hidden: int) -> int:
  """Returns the bytes that one descent is planned to take, beside those of its loss."""
  n_coordinates = n_features * (n_hidden + 1)
  return 4 * MATRICES * n_coordinates**2


def problem_bytes(*, n_features: int, n_hidden: int, n_starts: int = N_STARTS) -> int:
  """Returns the bytes that one problem of `global_minimum` is planned to take."""
  each = descent_bytes(n_features=n_features, n_hidden=n_hidden)
  return n_starts * (each + expected_loss.working_bytes(n_features))


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
  starts = AutoencoderParams(
    W=scale_w * jax.random.normal(key_w, (n_starts, n_hidden, n_features)),
    b=scale_b * jax.random.normal(key_b, (n_starts, n_features)),
  )

  def descend(start: AutoencoderParams, density: Array, importance: Array):
    def both(params: AutoencoderParams):
      return expected_loss.value_and_gradient(params, density, importance, relu=relu)

    return minimize(both, start, n_iterations)

  def best(density: Array, importance: Array):
    params, value = jax.vmap(descend, in_axes=(0, None, None))(starts, density, importance)
    value = jnp.where(jnp.isfinite(value), value, jnp.inf)
    chosen = jnp.argmin(value, axis=0)
    found = jnp.mean(value <= value[chosen] * (1 + SAME_LOSS), axis=0)
    return Optimum(jax.tree.map(lambda leaf: leaf[chosen], params), value[chosen], found)

  return jax.vmap(best)(density, importance)
