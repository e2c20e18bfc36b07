"""How low the loss of a model can be, as far as that is known: a table of certificates.

A row says for which models it knows a loss to compare with, and computes it from the numbers of the
instances alone, without any training. What such a loss means differs, and a row says which of four
it is:

- OPTIMUM: no model of that kind is below, and one reaches it.
- REACHED: some model has it, so the optimum is at most that; a trained model may be below.
- LIMIT: models of infinitely many features have it; a finite one may be a little above or below.
- LOWER: no model is below; whether one reaches it is not known.

A model whose loss is above an OPTIMUM, a REACHED or a LIMIT is not the best possible: if its
training minimised that loss alone, it was not trained to the end, or into a local minimum.
"""

import functools
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from toy_superposition import objective, problem
from toy_superposition.theory import (
  division,
  expected_loss,
  mean_field,
  optimum,
  polygons,
  water_filling,
)
from toy_superposition.types import Group, Instance, Spec

Bounds = Float[np.ndarray, "instance"]
OPTIMUM, REACHED, LIMIT, LOWER = "optimum", "reached", "limit", "lower"
# Variables of results, their own axis, and the coordinate along it that says what they mean.
BOUND, TOLERANCE = "optimum_bound", "optimum_tolerance"
DIM, MEANING = "certificate", "certificate_meaning"
SECONDS = 2.0  # that all problems of a run may take by one row that nobody asked for
ALLOWANCE = 0.01  # relative excess above which a model is under-trained, beside sampling errors
ERRORS = 3.0  # standard errors of a sampled loss that are allowed beside it
# E l² / (E l)² of the loss l that one active feature adds: 9/5 if it is ignored and uniform on
# [0, 1], 1 to 14 in trained models, whose losses may be those of a few rare pairs.
SPREAD = 6.0
MAX_TABLE = 10**7  # numbers in the table of a division of few features
# Features, and active ones among them, from which the mean field is within its allowance: with
# fewer, interference is a sum of a few terms, and random codes are up to twice as bad as it says.
MANY, MANY_ACTIVE = 64, 20


class Certificate(NamedTuple):
  """A loss that is known without training."""

  applies: Callable[[Spec], bool]
  # Spec, instances on the host → loss summed over outputs, NaN for instances of which none is known
  bound: Callable[[Spec, Instance], Bounds]
  noun: str  # after "above the"
  meaning: str  # one of OPTIMUM, REACHED, LIMIT, LOWER
  # Of one problem on one core, about; math.inf: computed where an experiment asks for it.
  seconds: Callable[[Spec], float] = lambda spec: 0.0
  allowance: float = ALLOWANCE  # relative excess above which a model is under-trained
  spread: float = SPREAD  # of the loss of one active feature, for the error of sampled losses

  def tolerance(
    self,
    density: Float[np.ndarray, "*instance feature"],
    importance: Float[np.ndarray, "*instance feature"],
    *,
    method: str,
    n_samples: int,
  ) -> Float[np.ndarray, "*instance"]:
    """Returns the relative excess above which a model is under-trained: the allowance, and ERRORS
    standard errors of a sampled loss, about.

    A feature that is active adds a loss of its own law, and the relative variance of their sum is
    `spread` over the number of those that are active on average, weighted by their importance.
    """
    density, importance = density.astype(float), importance.astype(float)
    first, second = (importance * density).sum(axis=-1), (importance**2 * density).sum(axis=-1)
    active = np.where(second > 0, first**2 / np.where(second > 0, second, 1), 1)
    error = np.sqrt(self.spread / (np.where(active > 0, active, 1) * n_samples))
    return self.allowance + (0.0 if method == "exact" else ERRORS) * error


def reconstructs(spec: Spec) -> bool:
  """Returns whether a model's training minimises the squared error of features that it sees, and
  nothing else. Weight decay is left to the reader of the result."""
  return (
    (spec.inputs, spec.target, spec.loss) == ("identity", "identity", "squared")
    and spec.examples in ("fresh", "common")
    and not spec.active
    and not spec.attack
  )


def _uniform(spec: Spec) -> bool:
  """Returns whether it is the paper's main model on its features."""
  return reconstructs(spec) and (spec.model, spec.distribution) == ("relu_output", "sparse_uniform")


def _alike(instances: Instance) -> np.ndarray:
  """Returns of which instances all features have one density above 0 and one importance."""
  density, importance = instances.density, instances.importance
  same = (density == density[:, :1]).all(axis=1) & (importance == importance[:, :1]).all(axis=1)
  return same & (density[:, 0] > 0)


def _of_density(loss: Callable[[float], float], instances: Instance, among: np.ndarray) -> Bounds:
  """Returns importance × loss of the density of instances with equal features, NaN elsewhere."""
  found = np.full(len(among), np.nan)
  for k in np.flatnonzero(among):
    # float32's digits of .05 are not those of .05, and a cache knows them by their value.
    density = float(f"{instances.density[k, 0]:.7g}")
    found[k] = float(instances.importance[k, 0]) * loss(density)
  return found


def _is_linear(spec: Spec) -> bool:
  independent = spec.row("data.distribution").independent
  return reconstructs(spec) and spec.model == "linear" and independent


def _linear(spec: Spec, instances: Instance) -> Bounds:
  moments = spec.row("data.distribution").moments
  mean, square = jax.vmap(moments)(jnp.asarray(instances.density))
  return optimum.linear_loss(np.asarray(square - mean**2), instances.importance, spec.n_hidden)


def _is_small(spec: Spec) -> bool:
  known = spec.model in expected_loss.MODELS and spec.n_features <= expected_loss.MAX_FEATURES
  return reconstructs(spec) and known and spec.distribution == "sparse_uniform"


def _exact(spec: Spec, instances: Instance) -> Bounds:
  relu = expected_loss.MODELS[spec.model]
  solve = jax.jit(functools.partial(optimum.global_minimum, n_hidden=spec.n_hidden, relu=relu))
  rows = [(slice(k, k + 1),) for k in range(len(instances.density))]  # one after another: memory
  found = [solve(instances.density[k], instances.importance[k]).loss for k in rows]
  return np.concatenate([np.asarray(loss, float) for loss in found])


def _is_divided(spec: Spec) -> bool:
  n, m = spec.n_features, spec.n_hidden
  return _uniform(spec) and (n * m <= MAX_TABLE or n >= 4 * m)


def _divided(spec: Spec, instances: Instance) -> Bounds:
  def loss(density: float) -> float:
    return division.lowest_loss(density, n_features=spec.n_features, n_hidden=spec.n_hidden)

  return _of_density(loss, instances, _alike(instances))


def _is_many(spec: Spec) -> bool:
  return _uniform(spec) and spec.n_features >= max(MANY, 2 * spec.n_hidden)


def _mean_field(spec: Spec, instances: Instance) -> Bounds:
  n, m = spec.n_features, spec.n_hidden

  def loss(density: float) -> float:
    return n * mean_field.loss_per_feature(m / n, density)

  density = instances.density[:, 0]
  return _of_density(
    loss, instances, _alike(instances) & (density < 1) & (n * density >= MANY_ACTIVE)
  )


def _is_square(spec: Spec) -> bool:
  return (
    (spec.inputs, spec.target, spec.loss) == ("identity", "weighted_squares", "squared")
    and (spec.model, spec.distribution) == ("sum_of_squares", "sparse_signed_uniform")
    and spec.examples in ("fresh", "common")
    and not spec.active
    and not spec.attack
  )


def _water(spec: Spec, instances: Instance) -> Bounds:
  found = np.full(len(instances.density), np.nan)
  for k in np.flatnonzero((instances.density == instances.density[:, :1]).all(axis=1)):
    one = _taken(instances, k)
    v = np.asarray(spec.row("data.target", one).weights(spec.n_features), float)
    square, fourth = one.density[0] / 3, one.density[0] / 5  # of sparse uniform values on [−1, 1)
    if square > 0:
      found[k] = square**2 * water_filling.optimum(v, float(fourth / square**2), spec.n_hidden)
  return found


def _is_polygon(spec: Spec) -> bool:
  row, n = spec.row("data.distribution"), spec.n_features
  one_active = spec.distribution == "one_hot"
  one_active |= spec.distribution == "anticorrelated_sets" and row.set_size == n
  return (
    reconstructs(spec)
    and one_active
    and (spec.model, row.value_law, spec.n_hidden) == ("relu_output", "uniform", 2)
    and n >= 5
  )


def _polygon(spec: Spec, instances: Instance) -> Bounds:
  n = spec.n_features
  one_active = _alike(instances) & (np.abs(instances.density[:, 0] * n - 1) < 1e-5)
  return np.where(one_active, instances.importance[:, 0] * polygons.lowest(n)[1], np.nan)


CERTIFICATES: dict[str, Certificate] = {
  # The linear model: the features of the largest variance × importance are kept.
  "linear_optimum": Certificate(_is_linear, _linear, "linear optimum", OPTIMUM),
  # Up to six features: the lowest minimum found by descents from many starts, which no proof says
  # is the optimum.
  "exact_optimum": Certificate(_is_small, _exact, "exact optimum", REACHED, lambda spec: math.inf),
  # Equal features: the best division of the dimensions among small polytopes.
  "block_division": Certificate(_is_divided, _divided, "block bound", REACHED, lambda spec: 0.15),
  # Equal features, many of them: random codes, whose interference is normal noise.
  "mean_field": Certificate(
    _is_many, _mean_field, "mean field of random codes", LIMIT, lambda spec: 0.45, allowance=0.05
  ),
  # Squares as activation (Scherlis et al. 2022).
  "water_filling": Certificate(_is_square, _water, "water-filling optimum", OPTIMUM, spread=100.0),
  # Inputs with one active feature, in two dimensions.
  "polygon_levels": Certificate(
    _is_polygon, _polygon, "lowest polygon", REACHED, lambda spec: 0.02 * spec.n_features
  ),
}
_OWN = dict(CERTIFICATES)  # without the rows that are added later


def from_outside(spec: Spec) -> list[str]:
  """Returns the names of rows that apply to a Spec and are not the package's own."""
  return [
    name
    for name, row in CERTIFICATES.items()
    if row is not _OWN.get(name) and spec.steps and row.applies(spec)
  ]


class Known(NamedTuple):
  """What is known of the instances of one group, by the rows that were computed."""

  bounds: Float[np.ndarray, "instance certificate"]  # of the reported loss, NaN: none is known
  tolerances: Float[np.ndarray, "instance certificate"]  # relative excess: more is under-trained


def names_for(groups: Sequence[Group], asked: Collection[str] = ()) -> list[str]:
  """Returns the rows that are computed for a sweep, in the table's order: those that apply to any
  of its groups and are asked for, or take less than SECONDS for all of its problems."""
  found = []
  for name, row in CERTIFICATES.items():
    applying = [group for group in groups if group.spec.steps and row.applies(group.spec)]
    if applying and name not in asked:
      seconds = sum(row.seconds(g.spec) * len(_distinct(g.instances)[0]) for g in applying)
      applying = applying if seconds <= SECONDS else []
    found += [name] if applying else []
  return found


def known(group: Group, names: Sequence[str], *, method: str, n_samples: int) -> Known:
  """Returns what the named rows know of a group's instances.

  Args:
    group: of a sweep.
    names: of rows.
    method: of the evaluation, "exact" or one that samples.
    n_samples: on which losses are evaluated.
  """
  spec = group.spec
  first, inverse = _distinct(group.instances)
  distinct = _taken(group.instances, first)
  n_outputs = problem.n_outputs(spec)
  share = float(objective.share(objective.REDUCTIONS[spec.reduction], n_outputs))
  bounds = np.full((len(inverse), len(names)), np.nan)
  tolerances = bounds.copy()
  numbers = (distinct.density, distinct.importance)
  for k, name in enumerate(names):
    row = CERTIFICATES[name]
    if row.applies(spec):
      found = np.asarray(row.bound(spec, distinct), float)
      bounds[:, k] = (share * found)[inverse]
      allowed = row.tolerance(*numbers, method=method, n_samples=n_samples)
      tolerances[:, k] = np.where(np.isfinite(found), allowed, np.nan)[inverse]
  return Known(bounds, tolerances)


def _taken(instances: Instance, at: Any) -> Instance:
  """Returns the instances at these positions, or the one at this position."""
  return jax.tree.map(lambda leaf: np.asarray(leaf)[at], instances)


def _distinct(instances: Instance) -> tuple[np.ndarray, np.ndarray]:
  """Returns the positions of one instance of every problem, and of every instance its problem's."""
  of_data = (leaf for field, leaf in instances.numbers.items() if not field.startswith("train."))
  leaves = [instances.density, instances.importance, *of_data]
  n = len(instances.density)
  rows = np.concatenate([np.asarray(leaf).reshape(n, -1) for leaf in leaves], axis=1)
  _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
  return first, inverse.reshape(-1)


def coords(names: Sequence[str]) -> dict[str, tuple[str, list[str], dict[str, str]]]:
  """Returns the coordinates of results along DIM: names of rows, and what their losses mean."""
  about = {
    DIM: "row of CERTIFICATES that knows a loss without training",
    MEANING: (
      "optimum: no model is below; reached: some model has it; limit: of infinitely many "
      "features; lower: no model is below"
    ),
  }
  columns = {DIM: list(names), MEANING: [CERTIFICATES[name].meaning for name in names]}
  return {key: (DIM, column, {"long_name": about[key]}) for key, column in columns.items()}
