"""What is done to examples on their way through a model: noise on inputs, dropout of hidden units.

All are 0 by default, and belong to every config. Attacks, which need the weights, are in
theory/attacks.py.
"""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from toy_superposition.declare import number

Inputs = Float[Array, "input example"]
Hidden = Float[Array, "hidden example"]
# Uniform numbers are multiples of 2⁻²³ below 1: half a multiple more keeps the quantile finite.
_HALF = 2.0**-24
FIELDS = ("data.noise", "model.dropout", "model.isotropic_noise")


@dataclass(frozen=True)
class Noise:
  """Gaussian noise on what the model sees, in training and in evaluation; targets are without."""

  noise: Any = number(
    0.0,
    "≥ 0",
    "standard deviation of normal noise on every number that the model sees",
    of="data.noise",
    swept=True,
  )

  def of(self, s: Inputs, u: Inputs) -> Inputs:
    """Returns s + σ Φ⁻¹(u), of uniform numbers on [0, 1)."""
    return s + self.noise * _normal(u)


def _normal(u: Float[Array, "row example"]) -> Float[Array, "row example"]:
  """Returns Φ⁻¹(u), of uniform numbers on [0, 1)."""
  return 2**0.5 * lax.erf_inv(2 * (u + _HALF) - 1)


@dataclass(frozen=True)
class Dropout:
  """Inverted dropout of hidden units, in training alone (Srivastava et al. 2014)."""

  dropout: Any = number(
    0.0,
    "[0, 1)",
    "q: probability that a hidden unit is 0 in training; the others are divided by 1 − q",
    of="model.dropout",
    swept=True,
  )

  def of(self, h: Hidden, u: Hidden) -> Hidden:
    """Returns h / (1 − q) where u ≥ q, and 0 elsewhere."""
    return jnp.where(u >= self.dropout, h / (1 - self.dropout), 0)


@dataclass(frozen=True)
class IsotropicNoise:
  """Normal noise in the place of dropout's, of the same variance but equal in all directions.

  Dropout adds q/(1 − q) h_k² to the variance of unit k; this adds q/(1 − q) ‖h‖²/m to that of each
  of the m units, so that no basis is privileged.
  """

  isotropic_noise: Any = number(
    0.0,
    "[0, 1]",
    "share of training examples whose hidden units get, instead of dropout, normal noise of the "
    "same variance that is equal in all directions",
    of="model.isotropic_noise",
    swept=True,
  )

  def of(self, h: Hidden, dropped: Hidden, u: Hidden, chosen: Array, dropout: Any) -> Hidden:
    """Returns `dropped`, or h with normal noise in the chosen examples.

    Args:
      h: hidden activations.
      dropped: the same after dropout.
      u: uniform numbers on [0, 1), of which the noise is made.
      chosen: (1, example) of uniform numbers, which choose the examples.
      dropout: q.
    """
    square = jnp.sum(h**2, axis=0, keepdims=True) / h.shape[0]
    # The root's gradient at h = 0, where no feature is active, would be infinite.
    deviation = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
    scale = jnp.sqrt(jnp.asarray(dropout / (1 - dropout)))
    return jnp.where(chosen < self.isotropic_noise, h + scale * deviation * _normal(u), dropped)
