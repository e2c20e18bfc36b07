"""Activation functions that jax lacks, or has in a form that costs more.

They are written in operations on elements alone, which vectorize.py knows.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

Elements = Float[Array, "*shape"]
LEAK = 0.1  # slope of the leaky ReLU below 0


def relu(z: Elements) -> Elements:
  """Returns max(z, 0), NaN where z is; its derivative at 0 is 0, as jax.nn.relu's."""
  return jnp.where(z <= 0, 0, z)


def leaky_relu(z: Elements) -> Elements:
  """Returns z where it is positive, and LEAK z elsewhere."""
  return jnp.where(z > 0, z, LEAK * z)


def squared_relu(z: Elements) -> Elements:
  """Returns ReLU(z)²."""
  return relu(z) ** 2
