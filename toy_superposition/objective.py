"""What a model is asked for, and how far it is from it."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

Batch = Float[Array, "batch feature"]
PerFeature = Float[Array, "feature"]

TARGETS: dict[str, Callable[[Batch], Batch]] = {
  "identity": lambda x: x,  # reconstruct the input
  "absolute": jnp.abs,  # compute |x| (paper, "Computation in Superposition")
}

REDUCTIONS: dict[str, Callable[[PerFeature], Float[Array, ""]]] = {
  "sum": lambda feature_loss: jnp.sum(feature_loss, axis=0),  # the paper's equation
  "mean": lambda feature_loss: jnp.mean(feature_loss, axis=0),  # the paper's notebook
}


def feature_loss(target: Batch, output: Batch, importance: PerFeature) -> PerFeature:
  """Returns I_i (x_i − x′_i)² of each feature, averaged over the batch (paper, §2).

  Its sum over features is the paper's loss; its mean is n times smaller, as in the notebook.
  """
  return importance * jnp.mean((target - output) ** 2, axis=0)
