"""Features that share a hidden cause: a point on a manifold, or a coin of their set."""

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from toy_superposition.declare import choice, number
from toy_superposition.distributions.distribution import (
  VALUES,
  Densities,
  Distribution,
  Draws,
  Feature,
  Patterns,
  Values,
  Weights,
)
from toy_superposition.distributions.finite import n_subsets, subsets
from toy_superposition.distributions.paper import Sets
from toy_superposition.types import Instance

# Of the exact loss: examples that are left out are the least probable ones, so rare all together.
# Their share of the loss is at the round-off of float32.
LEFT_OUT = 1e-6


def positions(manifold: str, n: int) -> Float[np.ndarray, "point coordinate"]:
  """Returns n points of a manifold: none of them is special on circle and sphere.

  Those of the figure-eight (sin t, sin 2t) lie at both sides of its crossing, where two points
  would be one. Independent features have no coordinates.
  """
  k = np.arange(n)
  t = 2 * np.pi * k / n
  if manifold == "circle":
    return np.stack([np.cos(t), np.sin(t)], axis=1)
  if manifold == "figure_eight":
    t = t + np.pi / n
    return np.stack([np.sin(t), np.sin(2 * t)], axis=1)
  if manifold == "sphere":  # Fibonacci's lattice
    z, turn = 1 - (2 * k + 1) / n, np.pi * (3 - 5**0.5) * k
    r = np.sqrt(1 - z**2)
    return np.stack([r * np.cos(turn), r * np.sin(turn), z], axis=1)
  return np.zeros((n, 0))


def probabilities(
  manifold: str, concentration: float, n: int
) -> Float[np.ndarray, "latent feature"]:
  """Returns with what probability a latent point makes each feature active.

  It is σ(κ (1 − ½ d²)) at the distance d of the latent from the feature's own point, which on the
  circle and the sphere is σ(κ cos of the angle between them); 1/2 if features are independent.
  """
  at = positions(manifold, n)
  if not at.shape[1]:
    return np.full((n, n), 0.5)
  squared = ((at[:, None] - at[None]) ** 2).sum(axis=2)
  return 1 / (1 + np.exp(-concentration * (1 - squared / 2)))


@functools.lru_cache(maxsize=16)
def finite(
  manifold: str, concentration: float, n: int
) -> tuple[Patterns, Float[np.ndarray, "pattern"]]:
  """Returns the examples that matter (LEFT_OUT), and their probabilities, made to add up to 1."""
  x = subsets(n)
  weight = np.zeros(x.shape[1])
  for p in probabilities(manifold, concentration, n)[:, :, None]:
    weight += np.prod(np.where(x > 0, p, 1 - p), axis=0) / n
  order = np.argsort(weight, kind="stable")
  kept = np.sort(order[np.cumsum(weight[order]) > LEFT_OUT])
  return x[:, kept], (weight[kept] / weight[kept].sum()).astype(np.float32)


@dataclass(frozen=True)
class BagOfWords(Distribution):
  """Binary features, independent given a latent point of a manifold (arXiv 2603.09972).

  There are as many latent points as features, at the same places and equally probable. The nearer
  a feature's own point is, the more probable it is to be active. Densities follow from the
  manifold: 1/2 on the circle, and of independent features.
  """

  MANIFOLDS: ClassVar[tuple[str, ...]] = ("circle", "figure_eight", "sphere", "independent")

  manifold: str = choice(
    "circle",
    "of the latent points: circle, figure_eight, sphere; or independent, without a latent",
    names=MANIFOLDS,
  )
  concentration: float = number(
    10.0, "≥ 0", "κ: a feature at the distance d from the latent is active with σ(κ (1 − d²/2))"
  )

  @property
  def law(self) -> Values:
    """1, and nothing else."""
    return VALUES["one"]

  def n_draws(self, n_features: int) -> int:
    """Returns one per feature, and one for the latent."""
    return n_features + 1

  def densities(self, density: Densities) -> Densities:
    """Returns the mean over latents of the features' probabilities."""
    chances = probabilities(self.manifold, self.concentration, density.shape[-1])
    return np.broadcast_to(chances.mean(axis=0), density.shape).copy()

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns x."""
    n = instance.density.shape[0]
    chances = probabilities(self.manifold, self.concentration, n).astype(np.float32)
    latent = jnp.minimum(jnp.floor(u[n] * n), n - 1).astype(jnp.int32)
    return jnp.where(u[:n] < jnp.asarray(chances)[latent], 1.0, 0.0)

  def n_patterns(self, n_features: int) -> int | None:
    """Returns how many of the 2ⁿ subsets matter."""
    if n_subsets(n_features) is None:
      return None
    return len(finite(self.manifold, self.concentration, n_features)[1])

  def patterns(self, instance: Instance) -> tuple[Patterns, Weights]:
    """Returns the subsets that matter, and their probabilities."""
    x, weight = finite(self.manifold, self.concentration, instance.density.shape[0])
    return x, jnp.asarray(weight)


@dataclass(frozen=True)
class SharedCoin(Sets):
  """Sets whose members are active by one coin with probability ρ, and else by a coin each.

  Where their densities are equal, the indicators of two members have the correlation ρ exactly.
  Values are independent. Where densities differ, members with the larger density are active
  whenever the others of a set with one coin are.
  """

  correlation: Any = number(
    0.5, "[0, 1]", "ρ, probability that all members of a set share one coin", swept=True
  )

  def n_draws(self, n_features: int) -> int:
    """Returns two per set, whether it shares a coin and that coin, and two per feature."""
    return 2 * (n_features // self.set_size) + 2 * n_features

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns x."""
    density, k = instance.density, self.set_size
    n = density.shape[0]
    of_sets, of_features = u[: 2 * (n // k)].reshape(2, -1), u[2 * (n // k) :].reshape(2, n)
    shares, coin = jnp.broadcast_to(of_sets[:, :, None], (2, n // k, k)).reshape(2, n)
    decides = jnp.where(shares < self.correlation, coin, of_features[0])
    return jnp.where(decides < density, self.law.of(of_features[1]), 0)

  def n_patterns(self, n_features: int) -> int | None:
    """Returns 2ⁿ for binary features."""
    return n_subsets(n_features) if self.law.is_one else None

  def patterns(self, instance: Instance) -> tuple[Patterns, Weights]:
    """Returns all subsets, with the product of their sets' probabilities."""
    n = instance.density.shape[0]
    x = subsets(n)
    p, of_sets = instance.density[:, None], (n // self.set_size, self.set_size, -1)
    apart = jnp.prod(jnp.where(x > 0, p, 1 - p).reshape(of_sets), axis=1)
    below = jnp.where(x > 0, p, 1).reshape(of_sets).min(axis=1)
    above = jnp.where(x > 0, 0, p).reshape(of_sets).max(axis=1)
    together = jnp.maximum(below - above, 0)
    return x, jnp.prod(self.correlation * together + (1 - self.correlation) * apart, axis=0)
