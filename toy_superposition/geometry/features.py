"""Measures of feature directions, the columns W_i of one instance, as the paper defines them."""

import jax.numpy as jnp
from jaxtyping import Array, Float

Directions = Float[Array, "hidden feature"]  # column i is W_i
PerFeature = Float[Array, "feature"]
Scalar = Float[Array, ""]


def feature_norm(W: Directions) -> PerFeature:
  """Returns ‖W_i‖: near 1 for a represented feature, 0 for an absent one (§2)."""
  return jnp.linalg.norm(W, axis=0)


def unit_directions(W: Directions) -> Directions:
  """Returns Ŵ_i = W_i / ‖W_i‖, and 0 where W_i is 0."""
  norm = jnp.broadcast_to(feature_norm(W), W.shape)
  return W / jnp.where(norm > 0, norm, 1)


def superposition(W: Directions) -> PerFeature:
  """Returns Σ_{j≠i} (Ŵ_i · W_j)²: the squared projections of all other features onto feature i's
  direction (§2).

  0 for a feature orthogonal to all others, at least 1 if another unit vector is parallel to it; 0
  where W_i is 0.
  """
  overlap = unit_directions(W).T @ W
  others = 1 - jnp.eye(W.shape[1], dtype=W.dtype)
  return jnp.sum(others * overlap**2, axis=1)


def feature_dimensionality(W: Directions) -> PerFeature:
  """Returns D_i = ‖W_i‖² / Σ_j (Ŵ_i · W_j)², j = i included: feature i's share of a dimension
  (section "The Geometry of Superposition").

  1 for a dedicated feature, ½ in an antipodal pair, 0 where W_i is 0.
  """
  squared = jnp.sum((unit_directions(W).T @ W) ** 2, axis=1)
  return feature_norm(W) ** 2 / jnp.where(squared > 0, squared, 1)


def dimensions_per_feature(W: Directions) -> Scalar:
  """Returns D* = m / ‖W‖_F²: hidden dimensions per represented feature (section "Uniform
  Superposition"); infinite if W is 0.

  Its inverse is definitions.features_per_dimension.
  """
  return W.shape[0] / jnp.sum(W**2, axis=(0, 1))
