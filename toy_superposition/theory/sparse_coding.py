"""Sparse codes, dictionaries learned by them, and what an L1 penalty does in closed form."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

Scalar = Float[Array, ""]
STEPS = 200
SILENT = 1e-6  # mean square of a latent below which it keeps its direction


def fista(
  dictionary: Float[Array, "input latent"],
  s: Float[Array, "input example"],
  penalty: Scalar | float,
  steps: int = STEPS,
) -> Float[Array, "latent example"]:
  """Returns codes z ≥ 0 that minimise ‖s − D z‖² + λ Σ z by FISTA (Beck & Teboulle 2009).

  Args:
    dictionary: D, one column per latent.
    s: inputs.
    penalty: λ.
    steps: of the iteration, whose error falls with their square.
  """
  gram, fit = dictionary.T @ dictionary, dictionary.T @ s
  # The gradient 2 (G z − Dᵀ s) + λ has the Lipschitz constant 2 ‖G‖.
  rate = 0.5 / jnp.linalg.norm(gram, ord=2)

  def step(_, state):
    z, ahead, t = state
    new = jax.nn.relu(ahead - rate * (2 * (gram @ ahead - fit) + penalty))
    t_new = 0.5 * (1 + jnp.sqrt(1 + 4 * t**2))
    return new, new + (t - 1) / t_new * (new - z), t_new

  zero = jnp.zeros_like(fit)
  z, _, _ = lax.fori_loop(0, steps, step, (zero, zero, jnp.float32(1)))
  return z


def learned_dictionary(
  batch: Callable[[Int[Array, ""]], Float[Array, "input example"]],
  start: Float[Array, "input latent"],
  penalty: Scalar | float,
  *,
  n_batches: int,
  steps: int,
) -> Float[Array, "input latent"]:
  """Returns a dictionary learned without an encoder: in turns, sparse codes of a batch, and
  column by column the least-squares dictionary of all codes so far (Mairal et al. 2009, "Online
  dictionary learning for sparse coding"; older batches are discounted).

  Args:
    batch: number of a batch → inputs.
    start: dictionary of unit columns to begin with.
    penalty: λ of the codes.
    n_batches: how many.
    steps: of FISTA for each.
  """

  n = start.shape[1]

  def turn(number, state):
    D, gram, fit = state
    s = batch(number)
    z = fista(D, s, penalty, steps)
    kept = 1 - 1 / (1 + number / 10)  # the mean of the last tenth or so of all batches
    gram = kept * gram + (1 - kept) * z @ z.T / s.shape[1]
    fit = kept * fit + (1 - kept) * s @ z.T / s.shape[1]
    D = lax.fori_loop(0, n, functools.partial(_column, gram, fit), D)
    return D, gram, fit

  zero = (jnp.zeros((n, n), start.dtype), jnp.zeros_like(start))
  return lax.fori_loop(0, n_batches, turn, (start, *zero))[0]


def _column(
  gram: Float[Array, "latent latent"],
  fit: Float[Array, "input latent"],
  j: Int[Array, ""],
  D: Float[Array, "input latent"],
) -> Float[Array, "input latent"]:
  """Returns D with the column j that is best beside the others, E ‖s − D z‖² being least."""
  used = gram[j, j] > SILENT
  new = D[:, j] + (fit[:, j] - D @ gram[:, j]) / jnp.where(used, gram[j, j], 1)
  norm = jnp.linalg.norm(new)
  return D.at[:, j].set(jnp.where(used & (norm > 0), new / jnp.where(norm > 0, norm, 1), D[:, j]))


def orthonormal_loss(penalty: float) -> float:
  """Returns the least mean of ‖s − ŝ‖² + λ Σ z per active feature of value uniform on [0, 1], of
  an orthonormal dictionary: λ/2 − λ²/4 + λ³/24 for λ ≤ 2.

  A value v is coded by max(v − λ/2, 0), at the cost λv − λ²/4 above λ/2, and v² below.
  """
  if not 0 <= penalty <= 2:
    raise ValueError(f"known for penalties from 0 to 2, not {penalty}")
  return penalty / 2 - penalty**2 / 4 + penalty**3 / 24
