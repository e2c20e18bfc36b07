"""Correlated features of any number: a Gaussian copula, and trees of features.

A child of a tree is active only if its parent is. Densities are those of features whatever their
parents do, so a child's conditional probability is its density over its parent's. Where a copula
couples what decides the features of trees, every generation has its own factors: whether a child
may be active and whether its parent is remain independent, and densities what they are.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from toy_superposition.declare import flag, integer, number
from toy_superposition.distributions.distribution import (
  RARE,
  Densities,
  Draws,
  Feature,
  Patterns,
  Valued,
  Weights,
  inverse,
  quantile,
  too_small_a_share,
)
from toy_superposition.distributions.finite import n_subsets, subsets
from toy_superposition.types import Instance, Spec

PerFeature = Feature | Bool[Array, "feature"]


@functools.cache
def loadings(n_features: int, rank: int) -> Float[np.ndarray, "feature rank"]:
  """Returns one unit vector per feature, which depends on the two numbers alone."""
  if not rank:
    return np.zeros((n_features, 0), np.float32)
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

  @property
  def n_factors(self) -> int:
    """The number of common factors."""
    return self.rank

  def n_draws(self, n_features: int) -> int:
    """Returns two per feature, which decide it and make its value, and one per factor."""
    return 2 * n_features + self.n_factors

  def loadings(self, n_features: int) -> Float[np.ndarray, "feature factor"]:
    """Returns V."""
    return loadings(n_features, self.rank)

  def deciding(self, u: Draws, n_features: int) -> Feature:
    """Returns what decides each feature: uniform numbers, or with a copula coupled normal ones."""
    own = u[:n_features]
    if not self.rank:
      return own
    factors = quantile(u[2 * n_features :])
    # At full precision, which products of float32 do not have on every accelerator.
    common = jnp.matmul(self.loadings(n_features), factors, precision=lax.Precision.HIGHEST)
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
  level: Int[np.ndarray, "feature"]  # how far below its root; 0 of features outside the trees


@functools.cache
def nodes(
  n_features: int, n_trees: int, branching: int, depth: int, by_generation: bool = False
) -> Nodes:
  """Returns trees one after another, each breadth first, or all trees' roots before all their
  children and so on; features after the last one are alone."""
  parent, first = np.full(n_features, -1), np.arange(n_features)
  level = np.zeros(n_features, int)
  places = _places(n_trees, branching, depth, by_generation)
  for tree in places:
    for child in range(1, len(tree)):
      older = (child - 1) // branching
      parent[tree[child]] = tree[older]
      first[tree[child]] = tree[1 + older * branching]
      level[tree[child]] = level[tree[older]] + 1
  return Nodes(parent, first, level)


def _places(
  n_trees: int, branching: int, depth: int, by_generation: bool
) -> Int[np.ndarray, "tree node"]:
  """Returns the features of every tree, breadth first."""
  size = tree_size(branching, depth)
  if not by_generation:
    return np.arange(n_trees * size).reshape(n_trees, size)
  blocks, start = [], 0
  for generation in range(depth + 1):
    end = start + n_trees * branching**generation
    blocks.append(np.arange(start, end).reshape(n_trees, -1))
    start = end
  return np.concatenate(blocks, axis=1)


def tree_size(branching: int, depth: int) -> int:
  """Returns the number of features in a tree."""
  return sum(branching**level for level in range(depth + 1))


@dataclass(frozen=True)
class Tree(Coupled):
  """Trees of features: a child is active only if its parent is (Chanin et al., SynthSAEBench)."""

  n_trees: int = integer(1, "≥ 1", "trees, one after another; the features after them are alone")
  branching: int = integer(3, "≥ 1", "children of every feature that has any")
  depth: int = integer(1, "≥ 0", "levels of a tree below its root")
  by_generation: bool = flag(
    False, "whether all roots come first, then all their children, and so on; else tree after tree"
  )
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
    return nodes(n_features, self.n_trees, self.branching, self.depth, self.by_generation)

  @property
  def n_factors(self) -> int:
    """The number of common factors of all generations."""
    return self.rank * (self.depth + 1)

  def loadings(self, n_features: int) -> Float[np.ndarray, "feature factor"]:
    """Returns V: 0 for the factors of other generations than a feature's own."""
    own = np.eye(self.depth + 1, dtype=np.float32)[self.nodes(n_features).level]
    vectors = loadings(n_features, self.rank)
    return (own[:, :, None] * vectors[:, None, :]).reshape(n_features, -1)

  def densities(self, density: Densities) -> Densities:
    """Returns the densities, lowered to what the parents allow if they are `limited`."""
    n = density.shape[-1]
    if not self.limited or tree_size(self.branching, self.depth) * self.n_trees > n:
      return density
    density, parent = density.copy(), self.nodes(n).parent
    share = np.float32(1 / self.branching) if self.exclusive_children else np.float32(1)
    for child in np.flatnonzero(parent >= 0):  # after its parent
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
    chance, decides = self.conditional(instance.density), self.deciding(u, n)
    lower, upper = jnp.zeros(n), chance
    if self.exclusive_children:
      (lower, upper), decides = self._intervals(chance), self._of_first_siblings(decides)
    own = (self.level(lower) <= decides) & (decides < self.level(upper))
    active = self._down(own, jnp.logical_and)
    value = self.law.of(u[n : 2 * n])
    if self.scaled:
      value = self._down(value, lambda child, parent: child * parent / self.law.mean)
    return jnp.where(active, value, 0)

  def _generations(self, x: PerFeature) -> tuple[list[Array], Array]:
    """Returns numbers per feature by generation, each of shape (tree, family, sibling), and those
    of features outside the trees.

    Slices and not indices, of which XLA would make what they read once for each.
    """
    trees, size = self.n_trees, tree_size(self.branching, self.depth)
    blocks, found, start = x[: trees * size].reshape(trees, size), [], 0
    for generation in range(self.depth + 1):
      width = self.branching**generation
      if self.by_generation:
        block = x[start * trees : (start + width) * trees]
      else:
        block = blocks[:, start : start + width]
      found.append(block.reshape(trees, -1, self.branching if generation else 1))
      start += width
    return found, x[trees * size :]

  def _joined(self, generations: list[Array], others: Array) -> PerFeature:
    """Returns numbers per feature from those by generation."""
    if self.by_generation:
      return jnp.concatenate([*(x.reshape(-1) for x in generations), others])
    blocks = [x.reshape(self.n_trees, -1) for x in generations]
    return jnp.concatenate([jnp.concatenate(blocks, axis=1).reshape(-1), others])

  def _down(self, x: PerFeature, join: Callable[[Array, Array], Array]) -> PerFeature:
    """Returns x with every child joined to its parent, from the roots down."""
    generations, others = self._generations(x)
    for i in range(1, self.depth + 1):
      parents = generations[i - 1].reshape(self.n_trees, -1, 1)
      generations[i] = join(generations[i], parents)
    return self._joined(generations, others)

  def _of_first_siblings(self, x: Feature) -> Feature:
    """Returns x of the first sibling for every child, x itself for others."""
    (roots, *below), others = self._generations(x)
    first = [jnp.broadcast_to(level[:, :, :1], level.shape) for level in below]
    return self._joined([roots, *first], others)

  def _intervals(self, chance: Feature) -> tuple[Feature, Feature]:
    """Returns where features begin and end if siblings are intervals of one number, one after
    another: a sibling begins exactly where the one before it ends."""
    (roots, *below), others = self._generations(chance)
    ends = [jnp.cumsum(level, axis=2) for level in below]
    begins = [jnp.pad(level, ((0, 0), (0, 0), (1, 0)))[..., :-1] for level in ends]
    zeros = jnp.zeros_like(others)
    return (
      self._joined([jnp.zeros_like(roots), *begins], zeros),
      self._joined([roots, *ends], others),
    )

  def moments(self, density: Feature) -> tuple[Feature, Feature]:
    """Returns E x_i and E x_i²; scaled values multiply along the way from the root."""
    mean, mean_square = super().moments(density)
    if self.scaled:
      level = self.nodes(density.shape[0]).level
      mean_square = mean_square * (self.law.mean_square / self.law.mean**2) ** level
    return mean, mean_square

  def n_patterns(self, n_features: int) -> int | None:
    """Returns 2ⁿ for binary features that no copula couples; most have the weight 0."""
    return n_subsets(n_features) if self.law.is_one and not self.rank else None

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
    density, chances = instances.density.astype(float), self.chances(instances.density)
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
      if self.exclusive_children and (reason := too_small_a_share(chances[:, members])):
        return f"config.density: among the children of feature {parent[group]}, {reason}"
    return super().refuses(spec, instances)
