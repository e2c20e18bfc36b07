"""Sparse codes of a given dictionary, and what an L1 penalty does to them in closed form."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Scalar = Float[Array, ""]
STEPS = 200


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


def orthonormal_loss(penalty: float) -> float:
  """Returns the least mean of ‖s − ŝ‖² + λ Σ z per active feature of value uniform on [0, 1], of
  an orthonormal dictionary: λ/2 − λ²/4 + λ³/24 for λ ≤ 2.

  A value v is coded by max(v − λ/2, 0), at the cost λv − λ²/4 above λ/2, and v² below.
  """
  if not 0 <= penalty <= 2:
    raise ValueError(f"known for penalties from 0 to 2, not {penalty}")
  return penalty / 2 - penalty**2 / 4 + penalty**3 / 24
