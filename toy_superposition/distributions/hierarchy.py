"""Correlated features of any number: a Gaussian copula, and trees of features.

A child of a tree is active only if its parent is. Densities are those of features whatever their
parents do, so a child's conditional probability is its density over its parent's.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from toy_superposition.declare import flag, integer, number
from toy_superposition.distributions.distribution import (
  MAX_PATTERNS,
  RARE,
  Densities,
  Draws,
  Feature,
  Patterns,
  Valued,
  Weights,
  inverse,
  quantile,
)
from toy_superposition.distributions.finite import subsets
from toy_superposition.types import Instance, Spec


@functools.cache
def loadings(n_features: int, rank: int) -> Float[np.ndarray, "feature rank"]:
  """Returns one unit vector per feature, which depends on the two numbers alone."""
  vectors = np.random.default_rng([n_features, rank]).standard_normal((n_features, rank))
  return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True)
class Coupled(Valued):
  """What distributions share whose deciding draws may be coupled by a Gaussian copula.

  Feature i is decided by Φ(g_i) with g = ρ V f + √(1 − ρ²) ε, where f are `rank` common normal
  factors, ε independent, and V has one fixed random unit vector per feature.
  """

  rank: int = integer(0, "≥ 0", "common normal factors of the copula; 0: features are independent")
  loading: Any = number(
    0.0, "[0, 1]", "ρ, share of the common factors in what decides a feature", swept=True
  )

  def n_draws(self, n_features: int) -> int:
    """Returns two per feature, which decide it and make its value, and one per factor."""
    return 2 * n_features + self.rank

  def deciding(self, u: Draws, n_features: int) -> Feature:
    """Returns what decides each feature: uniform numbers, or with a copula coupled normal ones."""
    own = u[:n_features]
    if not self.rank:
      return own
    factors = quantile(u[2 * n_features :])
    common = loadings(n_features, self.rank) @ factors
    return self.loading * common + jnp.sqrt(1 - self.loading**2) * quantile(own)

  def level(self, probability: Feature) -> Feature:
    """Returns the numbers below which deciding ones lie with the given probabilities."""
    if not self.rank:
      return probability
    edges = jnp.where(probability <= 0, -jnp.inf, jnp.inf)
    inside = (probability > 0) & (probability < 1)
    return jnp.where(inside, quantile(jnp.where(inside, probability, 0.5)), edges)

  def refuses(self, spec: Spec, instances: Instance) -> str:
    """Returns why probabilities are too small for float32 to couple, or nothing."""
    del spec
    chance = np.asarray(self.chances(instances.density))
    if self.rank and (low := chance[(chance > 0) & (chance < RARE)]).size:
      return (
        f"config.density: a probability of {low.min():g}; allowed with config.data.rank="
        f"{self.rank}: 0, or at least {RARE:g}"
      )
    return ""

  def chances(self, density: Densities) -> Densities:
    """Returns the probabilities with which deciding draws are compared, on the host."""
    return density


@dataclass(frozen=True)
class Copula(Coupled):
  """Features that are active together more or less often than by chance (Gaussian copula)."""

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns x."""
    n = instance.density.shape[0]
    active = self.deciding(u, n) < self.level(instance.density)
    return jnp.where(active, self.law.of(u[n : 2 * n]), 0)

  def refuses(self, spec: Spec, instances: Instance) -> str:
    """Returns why there is nothing to couple, or what `Coupled` refuses."""
    if not self.rank:
      return "config.data.rank: 0; allowed with copula: at least 1"
    return super().refuses(spec, instances)


class Nodes(NamedTuple):
  """Which feature is whose child."""

  parent: Int[np.ndarray, "feature"]  # −1 of roots and of features outside the trees
  first: Int[np.ndarray, "feature"]  # first sibling of a child; itself of others
  earlier: Float[np.ndarray, "feature feature"]  # 1 where j is an earlier sibling of i


@functools.cache
def nodes(n_features: int, n_trees: int, branching: int, depth: int) -> Nodes:
  """Returns trees one after another, each breadth first; features after the last one are alone."""
  parent, first = np.full(n_features, -1), np.arange(n_features)
  size = tree_size(branching, depth)
  for tree in range(n_trees):
    root = tree * size
    for child in range(1, size):
      parent[root + child] = root + (child - 1) // branching
      first[root + child] = root + 1 + (child - 1) // branching * branching
  siblings = (first[:, None] == first) & (parent[:, None] >= 0) & (parent >= 0)
  earlier = siblings & (np.arange(n_features)[:, None] > np.arange(n_features))
  return Nodes(parent, first, earlier.astype(np.float32))


def tree_size(branching: int, depth: int) -> int:
  """Returns the number of features in a tree."""
  return sum(branching**level for level in range(depth + 1))


@dataclass(frozen=True)
class Tree(Coupled):
  """Trees of features: a child is active only if its parent is (Chanin et al., SynthSAEBench)."""

  n_trees: int = integer(1, "≥ 1", "trees, one after another; the features after them are alone")
  branching: int = integer(3, "≥ 1", "children of every feature that has any")
  depth: int = integer(1, "≥ 0", "levels of a tree below its root")
  exclusive_children: bool = flag(True, "whether at most one child of a feature is active")
  limited: bool = flag(
    False,
    "whether densities that are too high for a child are lowered: to its parent's, or to 1 / "
    "branching of it if children are exclusive; otherwise they are refused",
  )
  scaled: bool = flag(
    False, "whether a child's value is multiplied by its parent's value over the mean of the law"
  )

  def nodes(self, n_features: int) -> Nodes:
    """Returns which feature is whose child."""
    return nodes(n_features, self.n_trees, self.branching, self.depth)

  def densities(self, density: Densities) -> Densities:
    """Returns the densities, lowered to what the parents allow if they are `limited`."""
    n = density.shape[-1]
    if not self.limited or tree_size(self.branching, self.depth) * self.n_trees > n:
      return density
    density, parent = density.copy(), self.nodes(n).parent
    share = np.float32(1 / self.branching) if self.exclusive_children else np.float32(1)
    for child in np.flatnonzero(parent >= 0):  # parents come before their children
      density[..., child] = np.minimum(density[..., child], share * density[..., parent[child]])
    return density

  def chances(self, density: Densities) -> Densities:
    """Returns the probability of each feature if its parent is active."""
    parent = self.nodes(density.shape[-1]).parent
    above = np.where(parent >= 0, density[..., parent], 1)
    return density / np.where(above > 0, above, 1)

  def conditional(self, density: Feature) -> Feature:
    """Returns the probability of each feature if its parent is active."""
    parent = self.nodes(density.shape[0]).parent
    return jnp.where(parent >= 0, density * inverse(density[parent]), density)

  def features(self, u: Draws, instance: Instance) -> Feature:
    """Returns x."""
    n = instance.density.shape[0]
    parent, first, earlier = self.nodes(n)
    chance, decides = self.conditional(instance.density), self.deciding(u, n)
    lower = jnp.zeros(n)
    if self.exclusive_children:  # siblings are intervals of one number
      lower, decides = jnp.asarray(earlier) @ chance, decides[first]
    own = (self.level(lower) <= decides) & (decides < self.level(lower + chance))
    active = self._with_parents(own)
    value = self.law.of(u[n : 2 * n])
    if self.scaled:
      own = value
      for _ in range(self.depth):
        value = jnp.where(parent >= 0, own * value[parent] / self.law.mean, own)
    return jnp.where(active, value, 0)

  def _with_parents(self, own: Bool[Array, "feature"]) -> Bool[Array, "feature"]:
    """Returns whether features are active if their ancestors must be active too."""
    parent, active = self.nodes(own.shape[0]).parent, own
    for _ in range(self.depth):
      active = own & ((parent < 0) | active[parent])
    return active

  def moments(self, density: Feature) -> tuple[Feature, Feature]:
    """Returns E x_i and E x_i²; scaled values multiply along the way from the root."""
    mean, mean_square = super().moments(density)
    if self.scaled:
      level = _levels(self.nodes(density.shape[0]).parent)
      mean_square = mean_square * (self.law.mean_square / self.law.mean**2) ** level
    return mean, mean_square

  def n_patterns(self, n_features: int) -> int | None:
    """Returns 2ⁿ for binary features that no copula couples; most have the weight 0."""
    few = n_features <= math.log2(MAX_PATTERNS)
    return 2**n_features if self.law.is_one and few and not self.rank else None

  def patterns(self, instance: Instance) -> tuple[Patterns, Weights]:
    """Returns all subsets with their probabilities."""
    x = subsets(instance.density.shape[0])
    parent, first, _ = self.nodes(len(x))
    chance = self.conditional(instance.density)
    above = np.where(parent[:, None] >= 0, x[parent], 1)  # whether a feature's parent is active
    if not self.exclusive_children:
      each = jnp.where(x > 0, above * chance[:, None], 1 - above * chance[:, None])
      return x, jnp.prod(each, axis=0)
    weights = jnp.ones(x.shape[1])
    for group in np.unique(first):
      members = np.flatnonzero(first == group)
      own = x[members]
      none = 1 - above[group] * jnp.sum(chance[members])
      one = above[group] * jnp.sum(own * chance[members, None], axis=0)
      weights = weights * jnp.where(own.sum(axis=0) == 0, none, one) * (own.sum(axis=0) <= 1)
    return x, weights

  def refuses(self, spec: Spec, instances: Instance) -> str:
    """Returns why densities or sizes are not those of trees, or what `Coupled` refuses."""
    size = tree_size(self.branching, self.depth) * self.n_trees
    if size > spec.n_features:
      return (
        f"config.data.n_trees: {self.n_trees} trees have {size} features; allowed: at most the "
        f"{spec.n_features} of config.model.n_features"
      )
    if self.scaled and self.law.mean == 0:
      return "config.data.scaled: True; allowed: False for values whose mean is 0"
    parent, first, _ = self.nodes(spec.n_features)
    density = instances.density.astype(float)
    for group in np.unique(first[parent >= 0]):
      members = np.flatnonzero(first == group)
      of_parent, own = density[:, parent[group]], density[:, members]
      total = own.sum(axis=1) if self.exclusive_children else own.max(axis=1)
      if (total > of_parent * (1 + 1e-6)).any():
        worst = int(np.argmax(total - of_parent))
        what = "exclusive children of" if self.exclusive_children else "a child of"
        return (
          f"config.density: {what} feature {parent[group]} have {total[worst]:g}, and it has "
          f"{of_parent[worst]:g}; allowed: at most that (config.data.limited=True lowers them)"
        )
    return super().refuses(spec, instances)


def _levels(parent: Int[np.ndarray, "feature"]) -> Int[np.ndarray, "feature"]:
  """Returns how far each feature is from its root."""
  level = np.zeros_like(parent)
  for child in np.flatnonzero(parent >= 0):
    level[child] = level[parent[child]] + 1
  return level
