"""Features of a circle: a point as one feature of two dimensions, or several tuned to its angle."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from toy_superposition.declare import choice
from toy_superposition.distributions.distribution import (
  MAX_PATTERNS,
  RARE,
  VALUES,
  Densities,
  Distribution,
  Draws,
  Feature,
  Patterns,
  Values,
  Weights,
  inverse,
)
from toy_superposition.types import Instance, Spec

ANGLES = 4096  # of the grid that stands for all angles in the exact loss
# Of tuned features: angles between two neighbours, and Gauss's nodes on the amplitudes, with which
# means of polynomials up to degree 15 are exact.
ANGLES_BETWEEN, AMPLITUDES = 16, 8


@dataclass(frozen=True)
class Circle(Distribution):
  """(r cos θ, r sin θ) with θ uniform: one feature of two dimensions, always active."""

  RADII: ClassVar[dict[str, float]] = {"one": 1.0, "uniform": 1 / 3}  # law → E r²

  radius: str = choice("one", "r: one, or uniform on [0, 1)", names=tuple(RADII))

  def n_draws(self, n_features: int) -> int:
    """Returns two: angle and radius."""
    return n_features

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns the two coordinates."""
    del instance
    angle, r = 2 * jnp.pi * u[0], u[1] if self.radius == "uniform" else 1.0
    return r * jnp.stack([jnp.cos(angle), jnp.sin(angle)])

  def densities(self, density: Densities) -> Densities:
    """Returns 1: both coordinates differ from 0."""
    return np.ones_like(density)

  def moments(self, density: Feature) -> tuple[Feature, Feature]:
    """Returns 0, and E r² / 2."""
    return 0 * density, 0 * density + self.RADII[self.radius] / 2

  def n_patterns(self, n_features: int) -> int | None:
    """Returns the angles of a fine grid, if the radius is one."""
    del n_features
    return ANGLES if self.radius == "one" else None

  def patterns(self, instance: Instance) -> tuple[Patterns, Weights]:
    """Returns points of even angles, with equal weights."""
    del instance
    angle = 2 * np.pi * (np.arange(ANGLES) + 0.5) / ANGLES
    points = np.stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    return points, jnp.full(ANGLES, 1 / ANGLES, jnp.float32)

  def refuses(self, spec: Spec, instances: Instance) -> str:
    """Returns why there are not two coordinates, or nothing."""
    del instances
    if spec.n_features != 2:
      return f"config.model.n_features: {spec.n_features}; allowed with circle: 2, its coordinates"
    return ""


@dataclass(frozen=True)
class TunedCircle(Distribution):
  """Features around a circle, each active near its own angle φ_i (Olah and Batson 2023).

  x_i = a cos((φ_i − θ) / ℓ) for |φ_i − θ| ≤ ½ ℓ π and else 0, at the even angles φ_i = 2πi/n, with
  θ uniform on the circle. The resolution ℓ is twice the density: a feature is active on the share
  ℓ/2 of the circle. At ℓ = 1 it is a ReLU of a cosine.
  """

  LAWS: ClassVar[dict[str, tuple[float, float]]] = {"one": (1.0, 1.0), "uniform": (1 / 2, 1 / 3)}

  amplitude: str = choice("one", "a: one, or uniform on [0, 1)", names=tuple(LAWS))

  @property
  def law(self) -> Values:
    """The moments of an active value; those of the cosine over its positive half are 2/π and ½."""
    mean, mean_square = self.LAWS[self.amplitude]
    return VALUES["uniform"]._replace(mean=2 / np.pi * mean, mean_square=mean_square / 2)

  def n_draws(self, n_features: int) -> int:
    """Returns two: angle and amplitude."""
    del n_features
    return 2

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns x."""
    return self._tuned(2 * jnp.pi * u[0], u[1] if self.amplitude == "uniform" else 1.0, instance)

  def _tuned(self, angle: Array, amplitude: Array | float, instance: Instance) -> Feature:
    """Returns the features of a point at one angle."""
    density = instance.density
    n = density.shape[0]
    own = jnp.asarray((2 * np.pi * np.arange(n) / n).astype(np.float32))
    turn = jnp.abs(own - angle)
    distance = jnp.minimum(turn, 2 * jnp.pi - turn)
    near = distance < jnp.pi * density
    return jnp.where(near, amplitude * jnp.cos(0.5 * distance * inverse(density)), 0)

  def n_patterns(self, n_features: int) -> int | None:
    """Returns the points of a grid of angles and amplitudes."""
    number = n_features * ANGLES_BETWEEN * (AMPLITUDES if self.amplitude == "uniform" else 1)
    return number if number <= MAX_PATTERNS else None

  def patterns(self, instance: Instance) -> tuple[Patterns, Weights]:
    """Returns the features at the grid's points, and the points' weights."""
    n = instance.density.shape[0] * ANGLES_BETWEEN
    angles = 2 * np.pi * (np.arange(n) + 0.5) / n
    nodes, weights = np.ones(1), np.ones(1)
    if self.amplitude == "uniform":
      nodes, weights = np.polynomial.legendre.leggauss(AMPLITUDES)
      nodes, weights = (nodes + 1) / 2, weights / 2
    angle, amplitude = (grid.ravel() for grid in np.meshgrid(angles, nodes, indexing="ij"))
    tuned = jax.vmap(self._tuned, in_axes=(0, 0, None), out_axes=1)
    x = tuned(jnp.float32(angle), jnp.float32(amplitude), instance)
    return x, jnp.asarray((np.tile(weights, n) / n).astype(np.float32))

  def refuses(self, spec: Spec, instances: Instance) -> str:
    """Returns why angles are too coarse for a resolution, or nothing."""
    del spec
    density = np.asarray(instances.density)
    if (low := density[(density > 0) & (density < RARE)]).size:
      return f"config.density: {low.min():g}; allowed with tuned_circle: 0, or at least {RARE:g}"
    return ""
