"""Two arrangements of five features in a plane, each followed as one feature's density changes.

Paper, section "The Geometry of Superposition", non-uniform superposition. Both arrangements are
local minima over a range of densities, so each has its own curve of losses, and where the curves
cross the best arrangement changes abruptly.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toy_superposition.models import AutoencoderParams
from toy_superposition.theory import expected_loss
from toy_superposition.theory.optimum import minimize

N_ITERATIONS = 100
PENTAGON_NORM, PENTAGON_BIAS = 1.13, -0.24  # near the optimum at p = .05
DIFFERENCE = 3e-3  # step of the parameters over which gradients are differenced
WEAK = 0.02  # norm of feature 0 at the digons' start; not 0, where it could not grow


def pentagon_start() -> AutoencoderParams:
  """Returns a regular pentagon, feature 0 on the first axis."""
  turn = 2 * np.pi * jnp.arange(5) / 5
  W = PENTAGON_NORM * jnp.stack([jnp.cos(turn), jnp.sin(turn)])
  return AutoencoderParams(W=W, b=jnp.full(5, PENTAGON_BIAS))


def two_digons_start(density: Float[Array, "5"]) -> AutoencoderParams:
  """Returns features 1 to 4 as two antipodal pairs, and 0 replaced by its mean."""
  W = jnp.array([[0.0, 1, -1, 0, 0], [0, 0, 0, 1, -1]])
  W = W.at[:, 0].set(WEAK * jnp.array([np.cos(np.pi / 8), np.sin(np.pi / 8)]))
  return AutoencoderParams(W=W, b=jnp.zeros(5).at[0].set(density[0] / 2))


def followed(
  density: Float[Array, "problem 5"],
) -> tuple[AutoencoderParams, Float[Array, "problem start"]]:
  """Returns the local minima next to both arrangements, and their expected losses.

  Descents start at the pentagon and at the two digons, in this order. They may end in another
  arrangement, where their own is not a minimum. Importances are 1.

  Args:
    density: of the five features of every problem.
  """
  importance = jnp.ones(5)

  def descend(start: AutoencoderParams, density: Float[Array, "5"]):
    def value_and_gradient(params: AutoencoderParams):
      return expected_loss.value_and_gradient(params, density, importance)

    return minimize(value_and_gradient, start, N_ITERATIONS)

  def of_problem(density: Float[Array, "5"]):
    starts = (pentagon_start(), two_digons_start(density))
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts)
    return jax.vmap(descend, in_axes=(0, None))(stacked, density)

  return jax.vmap(of_problem)(density)


def stationarity(
  params: AutoencoderParams, density: Float[Array, "problem 5"]
) -> tuple[Float[Array, "problem start"], Float[Array, "problem start 15"]]:
  """Returns the gradient's norm and the Hessian's eigenvalues, ascending, at points of `followed`.

  A rotation of all features changes nothing, so one eigenvalue of a minimum is 0. The Hessian is
  made of central differences of gradients.
  """

  def gradient(flat: Float[Array, "15"], density: Float[Array, "5"]) -> Float[Array, "15"]:
    at = AutoencoderParams(W=flat[:10].reshape(2, 5), b=flat[10:])
    found = expected_loss.value_and_gradient(at, density, jnp.ones(5))[1]
    return jnp.concatenate([found.W.ravel(), found.b])

  def of_one(one: AutoencoderParams, density: Float[Array, "5"]):
    flat = jnp.concatenate([one.W.ravel(), one.b])
    steps = DIFFERENCE * jnp.eye(len(flat))
    ends = [jax.vmap(gradient, in_axes=(0, None))(flat[None] + s * steps, density) for s in (1, -1)]
    hessian = (ends[0] - ends[1]) / (2 * DIFFERENCE)
    eigenvalues = jnp.linalg.eigvalsh((hessian + hessian.T) / 2)
    return jnp.linalg.norm(gradient(flat, density)), eigenvalues

  return jax.vmap(jax.vmap(of_one, in_axes=(0, None)))(params, density)


def two_digons_loss(
  density: Float[np.ndarray, "*problem"], first: Float[np.ndarray, "*problem"]
) -> Float[np.ndarray, "*problem"]:
  """Returns the expected loss, summed over features, of two digons of norm 1 without bias.

  When both features of a digon are active, it errs by the smaller value: ⅓ p² for a pair. The
  remaining feature, of density `first`, is replaced by its mean.
  """
  return 2 * density**2 / 3 + (first / 3 - first**2 / 4)


def crossing(
  ratio: Float[np.ndarray, "point"], difference: Float[np.ndarray, "point"]
) -> tuple[float, int]:
  """Returns where a difference of losses changes its sign, and the index of the point before it.

  Interpolated between the two points, linearly in the logarithm of the ratio; nan and −1 if the
  sign never changes. Where a loss is unknown, the difference is nan.
  """
  changes = np.flatnonzero(difference[:-1] * difference[1:] < 0)
  if not len(changes):
    return float("nan"), -1
  k = int(changes[0])
  share = difference[k] / (difference[k] - difference[k + 1])
  low, high = np.log(ratio[k]), np.log(ratio[k + 1])
  return float(np.exp(low + share * (high - low))), k
