"""Two arrangements of five features in a plane, each followed as one feature's density changes.

Paper, section "The Geometry of Superposition", non-uniform superposition. Both arrangements are
local minima over a range of densities, so each has a curve of its own, and where the curves cross
the best arrangement changes abruptly.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toy_superposition.models import TiedParams
from toy_superposition.theory import expected_loss
from toy_superposition.theory.optimum import minimize

N_ITERATIONS = 100
PENTAGON_NORM, PENTAGON_BIAS = 1.13, -0.24  # near the optimum at p = .05
WEAK = 0.02  # length of the absent feature at the start: it may grow if that pays


def pentagon_start() -> TiedParams:
  """Returns a regular pentagon, feature 0 on the first axis."""
  turn = 2 * np.pi * jnp.arange(5) / 5
  W = PENTAGON_NORM * jnp.stack([jnp.cos(turn), jnp.sin(turn)])
  return TiedParams(W=W, b=jnp.full(5, PENTAGON_BIAS))


def two_digons_start(density: Float[Array, "5"]) -> TiedParams:
  """Returns features 1 to 4 as two antipodal pairs, and 0 replaced by its mean."""
  W = jnp.array([[0.0, 1, -1, 0, 0], [0, 0, 0, 1, -1]])
  W = W.at[:, 0].set(WEAK * jnp.array([np.cos(np.pi / 8), np.sin(np.pi / 8)]))
  return TiedParams(W=W, b=jnp.zeros(5).at[0].set(density[0] / 2))


def followed(
  density: Float[Array, "problem 5"],
) -> tuple[TiedParams, Float[Array, "problem start"]]:
  """Returns the local minima next to both arrangements, and their expected losses.

  Starts are the pentagon and the two digons, in this order; what a descent ends in has to be
  looked at, since an arrangement may cease to be a minimum. Importances are 1.
  """
  importance = jnp.ones(5)

  def descend(start: TiedParams, density: Float[Array, "5"]):
    def both(params: TiedParams):
      return expected_loss.value_and_gradient(params, density, importance)

    return minimize(both, start, N_ITERATIONS)

  def of_problem(density: Float[Array, "5"]):
    starts = (pentagon_start(), two_digons_start(density))
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts)
    return jax.vmap(descend, in_axes=(0, None))(stacked, density)

  return jax.vmap(of_problem)(density)


def two_digons_loss(
  density: Float[np.ndarray, "*problem"], apart: Float[np.ndarray, "*problem"]
) -> Float[np.ndarray, "*problem"]:
  """Returns the expected loss, summed over features, of two digons of norm 1 without bias.

  A digon errs by the smaller of its two values when both are active: ⅓ p² for a pair. The fifth
  feature, of density `apart`, is replaced by its mean.
  """
  return 2 * density**2 / 3 + (apart / 3 - apart**2 / 4)


def crossing(
  ratio: Float[np.ndarray, "point"], difference: Float[np.ndarray, "point"]
) -> tuple[float, int]:
  """Returns where a difference of losses changes its sign, and the index of the point before it.

  Linear in the logarithm of the ratio between the two points; nan and −1 if there is no such
  place. Points of which the difference is not known are nan.
  """
  changes = np.flatnonzero(difference[:-1] * difference[1:] < 0)
  if not len(changes):
    return float("nan"), -1
  k = int(changes[0])
  share = difference[k] / (difference[k] - difference[k + 1])
  low, high = np.log(ratio[k]), np.log(ratio[k + 1])
  return float(np.exp(low + share * (high - low))), k
