"""However rare a feature is, it has its probability and moments: by enumeration of the random bits.

The numbers that a density can meet are listed instead of drawn: a generator is put in place of the
others that returns words from a table, in the order of the counters, and everything after it is
what training and evaluation run.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base
from tests import datasets, small
from toy_superposition import distributions, draws, estimators, problem
from toy_superposition.config import resolve
from toy_superposition.distributions import DISTRIBUTIONS, ERROR, LEAST, RARE
from toy_superposition.draws import GENERATORS
from toy_superposition.errors import UserError
from toy_superposition.estimators import ESTIMATORS, sparse
from toy_superposition.experiments import trained
from toy_superposition.types import Instance

KEY = np.array([11, 12], np.uint32)
LISTED = "listed"  # name of the generator
BITS = 2.0**64
N_LISTED = 2**16  # numbers listed below a density; all 2⁶⁴ p of them if they are fewer
UNIFORM, SIGNED = "sparse_uniform", "sparse_signed_uniform"
CORRELATED, ANTICORRELATED = "correlated_sets", "anticorrelated_sets"
DECADES = [10.0**-k for k in range(1, 10)]
EDGES = [np.nextafter(np.float32(RARE), np.float32(0)), RARE, LEAST]
every_density = pytest.mark.parametrize(
  "density", [*DECADES, *map(float, EDGES)], ids="{:.3g}".format
)


def words_of(numbers: np.ndarray) -> np.ndarray:
  """Returns the upper and the lower words of 64-bit numbers, as (word, number)."""
  numbers = np.asarray(numbers, np.uint64)
  return np.stack([numbers >> np.uint64(32), numbers & np.uint64(2**32 - 1)]).astype(np.uint32)


def listed(low: float, high: float) -> tuple[np.ndarray, float]:
  """Returns evenly spaced 64-bit numbers that cover [low, high) and a little more on both sides,
  and the probability that each stands for."""
  stride = max(1, int((high - low) * BITS / N_LISTED))
  if high - low >= 0.9 * RARE:  # coarse numbers of 23 bits, all of them or every k-th
    stride = 2**41 * max(1, stride >> 43)
  first = max(0, int(low * BITS / stride) - 2)
  count = int((high - low) * BITS / stride) + 6
  return (np.arange(first, first + count, dtype=np.uint64) * np.uint64(stride)) + np.uint64(
    stride // 2
  ), stride / BITS


def spread(n: int, dimension: int = 0, width: float = 1) -> np.ndarray:
  """Returns n 64-bit numbers evenly spread on [0, width): those of different dimensions, and of any
  with its position, fill squares evenly."""
  steps = (0.7548776662466927, 0.5698402909980532)  # Roberts' sequence
  return ((np.arange(1, n + 1) * steps[dimension] % 1) * width * BITS).astype(np.uint64)


def list_numbers(monkeypatch, rows: list[np.ndarray]) -> None:
  """Makes `LISTED` a generator whose step has these 64-bit numbers, one array for each draw."""
  n_pairs = -(-len(rows) // 2)
  rows = rows + [rows[0]] * (2 * n_pairs - len(rows))
  upper, lower = (jnp.asarray(words.ravel()) for words in words_of(np.stack(rows)))

  def words(key0, key1, x0, x1):
    is_upper = (key0 == KEY[0]) & (key1 == KEY[1])
    return tuple(jnp.where(is_upper, upper[x], lower[x]) for x in (x0, x1))

  monkeypatch.setitem(GENERATORS, LISTED, words)


def sampled(monkeypatch, name: str, density, rows: list[np.ndarray]) -> np.ndarray:
  """Returns the features that a batch of listed numbers gives, as (feature, example)."""
  list_numbers(monkeypatch, rows)
  set_size = len(density) if DISTRIBUTIONS[name].in_sets else 1
  one, instance = problem_of(name, density, set_size=set_size)
  assert one.n_draws == len(rows)

  @jax.jit
  def sample(instance: Instance):
    return one.sample(jnp.asarray(KEY), instance, len(rows[0]), generator=LISTED)

  return np.asarray(sample(instance), float)


def problem_of(name: str, density, **changes) -> tuple[problem.Problem, Instance]:
  """Returns a problem of a distribution, and an instance of given densities."""
  density = np.float32(density)
  spec = small.spec(distribution=name, n_features=len(density), **changes)
  spec = dataclasses.replace(spec, rare=distributions.any_rare(density))
  return problem.make(spec), instance_of(density)


def instance_of(density: np.ndarray) -> Instance:
  return Instance(
    index=jnp.int32(0),
    density=jnp.asarray(density),
    importance=jnp.ones(density.shape),
    learning_rate=jnp.ones(density.shape[:-1]),
  )


def assert_moments(x: np.ndarray, weight: float, density: float, signed: bool = False) -> None:
  """Checks probability, mean and mean square of a feature, every example having one weight."""
  p = float(np.float32(density))
  active = x[x != 0]
  assert weight * len(active) == pytest.approx(p, rel=ERROR)
  assert weight * (active**2).sum() == pytest.approx(p / 3, rel=ERROR)
  mean, error = (0, ERROR * p) if signed else (p / 2, ERROR * p / 2)
  assert weight * active.sum() == pytest.approx(mean, abs=error)


@pytest.mark.quick("sparse_uniform-1e-05", "sparse_signed_uniform-0.001")
@every_density
@pytest.mark.parametrize("name", [UNIFORM, SIGNED])
def test_a_feature_of_its_own_has_its_probability_and_moments(monkeypatch, name, density):
  numbers, weight = listed(0, density)
  x = sampled(monkeypatch, name, [density], [numbers])
  assert np.all(x[0, -2:] == 0)  # and so all numbers beyond them
  assert_moments(x[0], weight, density, signed=name == SIGNED)


@pytest.mark.quick("1e-05", "0.001")
@every_density
def test_a_set_that_is_rarely_active_has_its_probability_and_moments(monkeypatch, density):
  numbers, weight = listed(0, density)
  values = [spread(len(numbers), dimension) for dimension in (0, 1)]
  x = sampled(monkeypatch, CORRELATED, [density, density], [numbers, *values])
  assert np.all(x[:, -2:] == 0)
  for feature in x:
    assert_moments(feature, weight, density)


@pytest.mark.quick("1e-05", "0.001")
@every_density
def test_the_members_of_an_exclusive_set_have_their_probabilities_and_moments(monkeypatch, density):
  numbers, weight = listed(0, 3 * density)
  x = sampled(monkeypatch, ANTICORRELATED, [density] * 3, [numbers, spread(len(numbers))])
  assert np.all(x[:, -2:] == 0)
  assert np.max((x != 0).sum(axis=0)) == 1
  for feature in x:
    assert_moments(feature, weight, density)


@pytest.mark.quick("1e-09")
@pytest.mark.parametrize("density", [p for p in DECADES if p < RARE] + [RARE], ids="{:.3g}".format)
def test_a_member_of_an_exclusive_set_is_right_down_to_the_least_share_of_it(monkeypatch, density):
  others = density * (1 / RARE - 1.01)
  numbers, weight = listed(others, others + density)
  rows = [numbers, spread(len(numbers))]
  x = sampled(monkeypatch, ANTICORRELATED, [others, density], rows)
  assert_moments(x[1], weight, density)


@pytest.mark.parametrize("name", [UNIFORM, SIGNED])
def test_a_common_feature_beside_a_rare_one_has_its_probability_and_moments(monkeypatch, name):
  rows = [spread(2**16)] * 2
  for density in (0.3, 1.0):
    x = sampled(monkeypatch, name, [1e-8, density], rows)
    assert_moments(x[1], 2.0**-16, density, signed=name == SIGNED)
    assert x.min() >= -1 and x.max() < 1


# Who has the additional bits.


def test_only_groups_with_rare_features_draw_more_bits():
  for points, rare in (((0.0, 0.001, 1.0), False), ((0.1, 1e-6), True), ((LEAST,), True)):
    config = base.get_config()
    config.name = "rare"
    base.set_axes(config, density=base.points("density.base", points))
    (group,) = resolve.resolve(config).groups
    assert group.spec.rare == rare
    assert estimators.fixed(group, "cpu").spec.rare == rare


@pytest.mark.quick("autodiff")
@pytest.mark.parametrize("name", ["autodiff", "sparse"])
def test_an_instance_without_rare_features_sees_the_same_inputs_beside_others_bitwise(name):
  n = 64
  density = np.array([[0.05] * n, [1e-5] * n], np.float32)
  instances, first = instance_of(density), instance_of(density[0])
  seen = []
  for rare in (False, True):
    spec = dataclasses.replace(small.spec(n_features=n, batch_size=200), rare=rare)
    method = ESTIMATORS[name].make(problem.make(spec), instances)
    assert method.inputs is not None
    seen.append(jax.jit(method.inputs)(first, jnp.asarray(KEY)))
  np.testing.assert_array_equal(*seen)
  assert np.any(seen[0] != 0)


def test_models_rebuilt_from_results_draw_as_they_were_trained():
  for density in (0.1, 1e-5):
    axes = {"density": [density, 0.5], "restart": [0]}
    dataset = datasets.dataset(axes=axes, measured=(), W=np.ones((2, 5)))
    assert trained.trained(dataset).problem.spec.rare == (density < RARE)


# What is refused.


def refused(config) -> str:
  with pytest.raises(UserError) as caught:
    resolve.resolve(config)
  message = str(caught.value)
  assert "\n" not in message
  return message


@pytest.mark.parametrize(("low", "allowed"), [(0.0, True), (LEAST, True), (0.9 * LEAST, False)])
def test_densities_too_small_for_64_bits_are_refused_in_one_line(low, allowed):
  config = base.get_config()
  config.name = "rare"
  config.density.profile = "first_apart"
  config.density.base = 0.5
  config.density.ratio = 2 * low
  if allowed:
    resolve.resolve(config)
  else:
    message = refused(config)
    for fragment in ("config.density", "9e-16", "feature 0", f"0, or {LEAST:g} to 1"):
      assert fragment in message


@pytest.mark.parametrize(("ratio", "allowed"), [(1e-3, True), (9e-4, False)])
def test_members_of_exclusive_sets_too_rare_beside_the_others_are_refused_in_one_line(
  ratio, allowed
):
  config = base.get_config()
  config.name = "rare"
  config.model.n_features = 4
  config.data.distribution = ANTICORRELATED
  config.data.set_size = 2
  config.density.profile = "last_apart"
  config.density.base = 1e-4
  config.density.ratio = ratio
  if allowed:
    resolve.resolve(config)
  else:
    message = refused(config)
    for fragment in ("config.density", "9e-08", "feature 3", ANTICORRELATED, "1/1024"):
      assert fragment in message
  # The first member may be as rare as one likes.
  config.density.profile = "first_apart"
  resolve.resolve(config)


# Features whose gaps are drawn.


@pytest.mark.quick("0.1", "1e-05")
@pytest.mark.parametrize("density", [0.1, 0.01, *map(float, EDGES), 1e-5, 1e-7, 1e-9])
def test_every_place_in_a_gap_has_its_probability(density):
  density, block = float(np.float32(density)), sparse.GAP_BLOCK
  silent = np.log1p(-density)  # logarithm of the probability
  # A place within a block: all numbers that a draw can be.
  w = jnp.arange(2**23, dtype=jnp.float32)[None] / 2**23
  within = jax.jit(sparse.fine_gaps)(jnp.zeros_like(w), w, jnp.float32(density))
  found = np.bincount(np.asarray(within, int)[0]) / 2**23
  places = np.arange(len(found))
  expected = -np.exp(places * silent) * np.expm1(silent) / -np.expm1(block * silent)
  counted = expected > 4 * 2.0**-23 / ERROR  # the others are places that hardly occur
  assert len(found) == block or not counted[-1]
  np.testing.assert_allclose(found[counted], expected[counted], rtol=ERROR)
  # The blocks before it: 100 of them, or those that occur.
  width = -np.expm1(100 * block * silent)
  u = jnp.float32(np.minimum((np.arange(2**20) + 0.5)[None] * width / 2**20, 1 - 2.0**-24))
  gaps = jax.jit(sparse.fine_gaps)(u, jnp.zeros_like(u), jnp.float32(density))
  found = np.bincount(np.asarray(gaps, int)[0] // block)[:100] / 2**20 * width
  expected = -np.exp(np.arange(len(found)) * block * silent) * np.expm1(block * silent)
  counted = expected > 4 * width * 2.0**-20 / ERROR
  np.testing.assert_allclose(found[counted], expected[counted], rtol=ERROR)


@pytest.mark.quick("1e-07-sparse_uniform")
@pytest.mark.parametrize("name", [UNIFORM, SIGNED])
@pytest.mark.parametrize("share", [1.0, 1e-7])
def test_features_whose_gaps_are_drawn_have_their_probabilities_and_moments(
  monkeypatch, name, share
):
  # Every first candidate is in the first block of features; there are no others.
  n, batch, p = 64, 2**14, 1e-7
  density = np.full(n, p)
  density[1:] *= share
  one, instance = problem_of(name, density, batch_size=batch, generator=LISTED)
  in_block = sparse.GAP_BLOCK * p
  first = ((np.arange(batch) + 0.5) / batch * in_block * BITS).astype(np.uint64)
  value, w = spread(batch, 0, share), spread(batch, 1, n / sparse.GAP_BLOCK)
  (upper, lower), (upper_v, lower_v), (upper_w, _) = map(words_of, (first, value, w))
  tables = {
    tuple(KEY): (upper, upper_v),
    tuple(np.asarray(draws.fold_in(jnp.asarray(KEY), draws.LOWER))): (lower, lower_v),
    tuple(np.asarray(draws.fold_in(jnp.asarray(KEY), sparse.WITHIN))): (upper_w, upper_w),
  }

  def words(key0, key1, x0, x1):
    found = [jnp.full(x0.shape, 2**32 - 1, jnp.uint32)] * 2
    for (a, b), table in tables.items():
      here = (key0 == a) & (key1 == b) & (x0 < batch)  # the first slot
      at = jnp.minimum(x0, batch - 1)
      found = [jnp.where(here, jnp.asarray(t)[at], f) for t, f in zip(table, found, strict=True)]
    return tuple(found)

  monkeypatch.setitem(GENERATORS, LISTED, words)
  method = ESTIMATORS["sparse"].make(one, jax.tree.map(lambda leaf: leaf[None], instance))
  assert method.inputs is not None
  x = np.asarray(jax.jit(method.inputs)(instance, jnp.asarray(KEY)), float)
  # Of all first candidates those in this batch, and of their values those below the lower share.
  weight = in_block * n / sparse.GAP_BLOCK * share / batch
  rare = x[1:] if share < 1 else x
  active = (rare != 0).sum(axis=1)
  np.testing.assert_allclose(weight * active, p * share, rtol=0.02)  # 256 examples of each
  assert_moments(rare.ravel(), weight / len(rare), p * share, signed=name == SIGNED)
