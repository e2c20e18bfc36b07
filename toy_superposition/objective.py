"""Targets, and the loss of an output against its target."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from toy_superposition import declare
from toy_superposition.types import Params

Feature = Float[Array, "feature"]

TARGETS: dict[str, Callable[[Feature], Feature]] = declare.table(
  "data.target",
  {
    "identity": lambda x: x,  # reconstruct the input
    "absolute": jnp.abs,  # compute |x| (paper, "Computation in Superposition")
  },
)

# Linear in the features' losses and the same for all of them, as sums over examples need.
REDUCTIONS: dict[str, Callable[[Feature], Float[Array, ""]]] = declare.table(
  "loss.reduction",
  {
    "sum": lambda feature_loss: jnp.sum(feature_loss, axis=0),  # the paper's equation
    "mean": lambda feature_loss: jnp.mean(feature_loss, axis=0),  # the paper's notebook
  },
)


def feature_loss(target: Feature, output: Feature, importance: Feature) -> Feature:
  """Returns I_i (x_i − x′_i)² of each feature of one example (paper, §2).

  Its mean over examples, summed over features, is the paper's loss; averaged over features it is
  n times smaller, as in the notebook.
  """
  return importance * (target - output) ** 2


def nan_if_diverged(loss: Float[Array, "..."], params: Params) -> Float[Array, "..."]:
  """Returns one instance's losses, NaN if any of its parameters is not finite.

  On CPU the maximum in a fused ReLU may return 0 for NaN, so that diverged weights would have the
  loss of zero weights.
  """
  finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(params)]
  return jnp.where(jnp.all(jnp.stack(finite)), loss, jnp.nan)
