"""The expected loss on correlated sets, to a precision at which arrangements can be compared.

As in the paper's sum over numbers of active features, but over sets: all members of a set are
active together (section "Correlated and Anticorrelated Features"). Each combination of active
sets is an integral over the cube of the active values, taken over one fixed set of points that
fill it evenly (Sobol'), so that no rare combination is left to chance.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toy_superposition.models import AutoencoderParams

LOG2_POINTS = 12  # points per combination: relative errors of a few 1e-4
SEED = 0  # of the points' scrambling; other seeds have other points and errors


@functools.cache
def _points(n_features: int, seed: int) -> Float[np.ndarray, "point feature"]:
  from scipy.stats import qmc

  return qmc.Sobol(n_features, rng=seed).random_base2(LOG2_POINTS).astype(np.float32)


def expected_loss(
  params: AutoencoderParams, density: Float[Array, ""], set_size: int, seed: int = SEED
) -> Float[Array, ""]:
  """Returns E Σ_i (x_i − x′_i)² of the ReLU output model on correlated sets of equal density."""
  n = params.b.shape[0]
  points = jnp.asarray(_points(n, seed))
  total = jnp.zeros(())
  for active in itertools.product((0, 1), repeat=n // set_size):
    k = sum(active)
    probability = density**k * (1 - density) ** (len(active) - k)
    x = points * jnp.repeat(jnp.array(active, jnp.float32), set_size)[None, :]
    output = jax.nn.relu(x @ params.W.T @ params.W + params.b[None, :])
    total += probability * jnp.mean(jnp.sum((x - output) ** 2, axis=1), axis=0)
  return total


def expected_losses(
  params: AutoencoderParams,
  density: Float[np.ndarray, "*instance"],
  set_size: int,
  seed: int = SEED,
) -> Float[np.ndarray, "*instance"]:
  """Returns `expected_loss` of parameters with leading axes, one model after the other."""
  shape = density.shape
  flat = jax.tree.map(lambda leaf: np.reshape(leaf, (-1, *leaf.shape[len(shape) :])), params)

  @jax.jit
  def each(flat: AutoencoderParams, density: Float[Array, "instance"]):
    def one(operand):
      return expected_loss(operand[0], operand[1], set_size, seed)

    return jax.lax.map(one, (flat, density))

  return np.asarray(each(flat, density.reshape(-1).astype(np.float32))).reshape(shape)
