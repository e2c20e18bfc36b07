"""Random rotations of the hidden layer, and how far features lie along its axes.

Paper, section "Superposition in a Privileged Basis".
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def random_rotations(
  rng: np.random.Generator, count: int, n_hidden: int
) -> Float[np.ndarray, "rotation hidden hidden"]:
  """Returns orthogonal matrices (reflections included), uniform on the group."""
  from scipy.stats import ortho_group  # takes a second to import

  matrices = ortho_group.rvs(n_hidden, size=count, random_state=rng)
  return matrices.reshape(count, n_hidden, n_hidden)  # of one, scipy returns the matrix itself


def fourth_moment(W: Float[Array, "hidden feature"], minimum_norm: float) -> Float[Array, ""]:
  """Returns the mean of Σ_h Ŵ_hi⁴ over features: 1 if every feature lies on an axis, 1/m if each
  has equal parts of all axes.

  Features of norm ≤ `minimum_norm` are left out; nan if none remains.
  """
  norm = jnp.linalg.norm(W, axis=0)
  chosen = norm > minimum_norm
  unit = W / jnp.broadcast_to(jnp.where(chosen, norm, 1), W.shape)
  return jnp.sum(jnp.where(chosen, jnp.sum(unit**4, axis=0), 0)) / jnp.sum(chosen)
