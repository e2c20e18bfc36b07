"""A feature that is not one-dimensional: a point on a circle."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from toy_superposition.declare import choice
from toy_superposition.distributions.distribution import (
  Densities,
  Distribution,
  Draws,
  Feature,
  Patterns,
  Weights,
)
from toy_superposition.types import Instance, Spec

ANGLES = 4096  # of the grid that stands for all angles in the exact loss


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
