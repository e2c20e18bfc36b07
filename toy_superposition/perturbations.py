"""What is done to examples on their way through a model: noise on inputs, dropout of hidden units.

Both are 0 by default, and belong to every config. Attacks, which need the weights, are in
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
FIELDS = ("data.noise", "model.dropout")


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
    normal = 2**0.5 * lax.erf_inv(2 * (u + _HALF) - 1)
    return s + self.noise * normal


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
