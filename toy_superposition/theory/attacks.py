"""Adversarial attacks in closed form: along a row of WᵀW.

Paper, section "Relationship to Adversarial Robustness".
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from toy_superposition.models import AutoencoderParams

RELATIVE_SIZE = 0.1  # the norm of an attack, as a share of the mean norm of an input


def directions(W: Float[Array, "hidden feature"]) -> Float[Array, "feature feature"]:
  """Returns (WᵀW)_i / ‖(WᵀW)_i‖ in row i: what raises output i most before the ReLU.

  0 where feature i is not represented.
  """
  gram = W.T @ W
  norm = jnp.linalg.norm(gram, axis=1, keepdims=True)
  return jnp.where(norm > 0, gram / jnp.where(norm > 0, norm, 1), 0)


def without_superposition(density: Float[Array, "feature"], n_hidden: int) -> AutoencoderParams:
  """Returns the best model without superposition for equal importances: `n_hidden` features stored
  as they are, and for the others their mean, p/2, as bias."""
  n = density.shape[0]
  W = jnp.eye(n_hidden, n, dtype=density.dtype)
  return AutoencoderParams(W=W, b=jnp.where(jnp.arange(n) < n_hidden, 0, density / 2))


def input_norm(density: Float[Array, "feature"]) -> Float[Array, ""]:
  """Returns √(Σ p_i / 3), the root mean square norm of inputs whose active features are uniform on
  [0, 1) or [−1, 1)."""
  return jnp.sqrt(jnp.sum(density, axis=0) / 3)
