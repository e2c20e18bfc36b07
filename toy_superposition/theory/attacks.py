"""Adversarial attacks in closed form: along a row of WᵀW.

Paper, section "Relationship to Adversarial Robustness".
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

RELATIVE_SIZE = 0.1  # the norm of an attack, as a share of the mean norm of an input


def directions(W: Float[Array, "hidden feature"]) -> Float[Array, "feature feature"]:
  """Returns (WᵀW)_i / ‖(WᵀW)_i‖ in row i: what raises output i most before the ReLU.

  0 where feature i is not represented.
  """
  gram = W.T @ W
  norm = jnp.linalg.norm(gram, axis=1, keepdims=True)
  return jnp.where(norm > 0, gram / jnp.where(norm > 0, norm, 1), 0)


def input_norm(density: Float[Array, "feature"]) -> Float[Array, ""]:
  """Returns √(Σ p_i / 3), the root mean square norm of inputs whose active features are uniform on
  [0, 1) or [−1, 1)."""
  return jnp.sqrt(jnp.sum(density, axis=0) / 3)
