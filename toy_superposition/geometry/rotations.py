"""Whether the axes of the hidden layer matter: rotations of it, and what a model does after one.

Paper, section "Superposition in a Privileged Basis".
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toy_superposition.models import UntiedParams
from toy_superposition.types import Params


def random_rotations(
  rng: np.random.Generator, count: int, n_hidden: int
) -> Float[np.ndarray, "rotation hidden hidden"]:
  """Returns orthogonal matrices, uniform on the group (QR of normal numbers, signs fixed)."""
  q, r = np.linalg.qr(rng.standard_normal((count, n_hidden, n_hidden)))
  return q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]


def rotated(params: Params, O: Float[Array, "hidden hidden"]) -> Params:  # noqa: E741
  """Returns the parameters with the hidden layer's inputs rotated, and its outputs rotated back.

  Where the hidden layer is linear, the model's function stays the same.
  """
  if isinstance(params, UntiedParams):
    return UntiedParams(W1=O @ params.W1, W2=params.W2 @ O.T, b=params.b)
  return params.replace(W=O @ params.W)


def fourth_moment(W: Float[Array, "hidden feature"], least_norm: float) -> Float[Array, ""]:
  """Returns the mean over represented features of Σ_h Ŵ_hi⁴: 1 where each lies on an axis, 1/m
  where it has equal parts of all.

  Features of norm ≤ `least_norm` are left out; nan without any.
  """
  norm = jnp.linalg.norm(W, axis=0)
  chosen = norm > least_norm
  unit = W / jnp.broadcast_to(jnp.where(chosen, norm, 1), W.shape)
  return jnp.sum(jnp.where(chosen, jnp.sum(unit**4, axis=0), 0)) / jnp.sum(chosen)
