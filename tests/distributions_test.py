"""Feature distributions against their exact moments, for several densities at once."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from tests import small
from toy_superposition import declare, problem, streams
from toy_superposition.distributions import DISTRIBUTIONS
from toy_superposition.draws import fold_in
from toy_superposition.streams import Stream
from toy_superposition.types import Instance

N_SAMPLES = 200_000
N_ERRORS = 4.5  # standard errors: a chance of 1e-5 per number, and the keys are fixed
LEAST_P_VALUE = 1e-3  # of a Kolmogorov–Smirnov test
COMMON = 0.03  # density from which on there are enough active values to test their distribution


class Active(NamedTuple):
  """Of an active value: lowest value, width, and means of the first, second and fourth power."""

  low: float
  width: float
  mean: float
  second: float
  fourth: float


UNIFORM, SIGNED = Active(0, 1, 1 / 2, 1 / 3, 1 / 5), Active(-1, 2, 0, 1 / 3, 1 / 5)
ACTIVE = dict.fromkeys(DISTRIBUTIONS, UNIFORM) | {"sparse_signed_uniform": SIGNED}


class Case(NamedTuple):
  name: str
  set_size: int
  density: tuple[float, ...]

  def __str__(self):
    return f"{self.name}, sets of {self.set_size}"


SPREAD = (0, 0.003, 0.03, 0.3, 0.7, 1)
EXCLUSIVE = (0, 0.003, 0.03, 0.3, 0.5, 0.2)  # the second three: always exactly one of them
CASES = (
  Case("sparse_uniform", 1, SPREAD),
  Case("sparse_signed_uniform", 1, SPREAD),
  Case("correlated_sets", 1, SPREAD),
  Case("correlated_sets", 2, (0.03, 0.03, 0.4, 0.4, 0.7, 0.7)),
  Case("correlated_sets", 3, SPREAD),  # densities differ within the sets
  Case("anticorrelated_sets", 1, SPREAD),
  Case("anticorrelated_sets", 2, (0.03, 0.03, 0.25, 0.25, 0.5, 0.5)),
  Case("anticorrelated_sets", 3, EXCLUSIVE),
  Case("anticorrelated_sets", 6, (0.1, 0.2, 0.05, 0.3, 0, 0.2)),
)
every_case = pytest.mark.parametrize("case", CASES, ids=str)


def row_of(name: str, set_size: int):
  """Returns a distribution, with its sets' size if it has sets."""
  return declare.build("data.distribution", name, {"data.set_size": set_size})


def instance_of(density) -> Instance:
  """Returns an instance of given densities."""
  return Instance(
    index=jnp.int32(0),
    density=jnp.float32(density),
    importance=jnp.ones(len(density)),
    learning_rate=jnp.float32(1),
  )


def make(case: Case) -> tuple[problem.Problem, Instance]:
  n = len(case.density)
  spec = small.spec(distribution=case.name, set_size=case.set_size, n_features=n)
  return problem.make(spec), instance_of(case.density)


@functools.cache
def draw(case: Case, index: int = 0, step: int = 0) -> np.ndarray:
  """Returns a batch as (example, feature)."""
  one, instance = make(case)
  words = fold_in(streams.words(streams.root(0), Stream.TRAIN, index), step)
  return np.asarray(one.sample(words, instance, N_SAMPLES), np.float64).T


def in_sets(x: np.ndarray, case: Case) -> np.ndarray:
  """Returns features as (…, set, member)."""
  return x.reshape(*x.shape[:-1], -1, case.set_size)


def assert_mean(values, expected, variance):
  error = np.abs(values.mean(axis=0) - expected)
  assert np.all(error <= N_ERRORS * np.sqrt(variance / N_SAMPLES) + 1e-12), error


def assert_uncorrelated(columns, groups=None):
  """Checks all pairs of columns, or those of different groups."""
  groups = np.arange(columns.shape[1]) if groups is None else groups
  varies = columns.std(axis=0) > 0
  correlation = np.corrcoef(columns[:, varies], rowvar=False)
  different = groups[varies][:, None] != groups[varies]
  assert different.any()
  assert np.abs(correlation[different]).max() <= N_ERRORS / np.sqrt(len(columns))


def test_every_distribution_is_tried_with_single_features_and_those_of_sets_with_sets():
  paper = list(DISTRIBUTIONS)[:4]  # the others are in hierarchy_test.py
  assert [case.name for case in CASES if case.set_size == 1] == paper
  of_sets = {name for name in paper if DISTRIBUTIONS[name].in_sets}
  assert {case.name for case in CASES if case.set_size > 1} == of_sets


@pytest.mark.quick(
  "correlated_sets, sets of 2", "sparse_uniform, sets of 1", "anticorrelated_sets, sets of 3"
)
@every_case
def test_density_mean_and_second_moment(case):
  # Uniform: p, p/2 and p/3; signed: p, 0 and p/3, whatever the other members of the set do.
  x, p, active = draw(case), np.float32(case.density).astype(float), ACTIVE[case.name]
  assert_mean(x != 0, p, p * (1 - p))
  assert_mean(x, p * active.mean, p * active.second - (p * active.mean) ** 2)
  assert_mean(x**2, p * active.second, p * active.fourth - (p * active.second) ** 2)


@every_case
def test_density_zero_gives_exact_zeros_and_density_one_is_always_active(case):
  x, p = draw(case), np.array(case.density)
  assert np.all(x[:, p == 0] == 0)
  assert np.all(x[:, p == 1] != 0)  # an active value may be 0 itself, but one time in 2²³


@pytest.mark.parametrize(
  ("case", "feature"),
  [(case, i) for case in CASES for i in range(6) if case.density[i] >= COMMON],
  ids=str,
)
def test_active_values_are_uniform_whatever_the_density(case, feature):
  low, width, *_ = ACTIVE[case.name]
  active = draw(case)[:, feature]
  active = active[active != 0]
  assert low <= active.min() and active.max() < low + width
  assert stats.kstest(active, "uniform", args=(low, width)).pvalue > LEAST_P_VALUE


@pytest.mark.parametrize("name", ["sparse_uniform", "sparse_signed_uniform"])
@pytest.mark.parametrize(
  "u", [0, np.nextafter(np.float32(0.3), np.float32(0)), np.float32(0.3), 1 - 2**-23]
)
def test_even_the_outermost_draws_give_zeros_at_density_zero_and_values_inside(name, u):
  # The smallest draw, the last below a density of 0.3, the next one, and the largest there is.
  low, width, *_ = ACTIVE[name]
  draws, instance = jnp.full(3, u, jnp.float32), instance_of((0, 0.3, 1))
  zero, some, always = np.asarray(row_of(name, 1).features(draws, instance))
  assert zero == 0
  assert all(value == 0 or low <= value < low + width for value in (some, always))
  assert some == (pytest.approx(low + width * u / 0.3) if u < np.float32(0.3) else 0)
  assert always == pytest.approx(low + width * u)


@pytest.mark.parametrize("name", ["correlated_sets", "anticorrelated_sets"])
@pytest.mark.parametrize("u", [0, 1 - 2**-23])
def test_even_the_outermost_draws_of_sets_give_zeros_at_density_zero_and_their_values(name, u):
  distribution = row_of(name, set_size=2)
  values = jnp.linspace(0.25, 0.75, distribution.n_draws(4) - 2)
  draws = jnp.append(jnp.full(2, u, jnp.float32), values)
  x = distribution.features(draws, instance_of((0, 1, 0, 0)))
  value = values[1] if name == "correlated_sets" else values[0]  # one per feature, or per set
  np.testing.assert_array_equal(x, [0, value, 0, 0])


def test_the_paper_s_rows_are_this_arithmetic_bit_by_bit():
  # One operation after another, in numpy's float32.
  p = np.array(SPREAD, np.float32)
  inverse = np.float32(1) / np.where(p > 0, p, np.float32(1))
  u = np.random.default_rng(0).integers(0, 2**23, (2000, 8)).astype(np.float32) * np.float32(2**-23)
  decides, value = np.repeat(u[:, :2], 3, axis=1), u[:, 2:]  # of two sets of three
  q = np.array(EXCLUSIVE, np.float32)
  upper = np.stack([q[0::3], q[0::3] + q[1::3], q[0::3] + q[1::3] + q[2::3]], axis=1)
  lower = np.concatenate([np.zeros((2, 1), np.float32), upper[:, :-1]], axis=1)
  within = (lower.ravel() <= decides) & (decides < upper.ravel())
  expected = {
    "sparse_uniform": np.where(value < p, value * inverse, 0),
    "sparse_signed_uniform": np.where(value < p, np.float32(2) * value * inverse - 1, 0),
    "correlated_sets": np.where(decides < p, value, 0),
    "anticorrelated_sets": np.where(within, np.repeat(u[:, 2:4], 3, axis=1), 0),
  }
  for name, x in expected.items():
    made, one = row_of(name, 3), instance_of(EXCLUSIVE if "anti" in name else SPREAD)
    used = {"correlated_sets": u, "anticorrelated_sets": u[:, :4]}.get(name, value)
    features = jax.vmap(lambda u, made=made, one=one: made.features(u, one))(jnp.asarray(used))
    np.testing.assert_array_equal(np.asarray(features).view(np.int32), x.view(np.int32), name)


@pytest.mark.parametrize(
  ("name", "n_draws"),
  [
    ("sparse_uniform", 12),
    ("sparse_signed_uniform", 12),
    ("correlated_sets", 4 + 12),
    ("anticorrelated_sets", 4 + 4),
  ],
)
def test_no_more_draws_than_needed(name, n_draws):
  assert row_of(name, set_size=3).n_draws(12) == n_draws


@pytest.mark.parametrize("case", [c for c in CASES if c.set_size < 6], ids=str)
def test_features_of_different_sets_are_independent(case):
  x, sets = draw(case), np.arange(6) // case.set_size
  assert_uncorrelated(x, sets)
  assert_uncorrelated(x**2, sets)
  assert_uncorrelated(x != 0, sets)


@pytest.mark.quick("correlated_sets, sets of 2", "sparse_uniform, sets of 1")
@every_case
def test_instances_and_steps_are_independent(case):
  batches = [draw(case, 0, 0), draw(case, 1, 0), draw(case, 2, 0), draw(case, 0, 1)]
  for feature in np.flatnonzero(case.density):
    assert_uncorrelated(np.stack([x[:, feature] for x in batches], axis=1))


def cases_of(name: str):
  several = [case for case in CASES if case.name == name and case.set_size > 1]
  return pytest.mark.parametrize("case", several, ids=str)


def pairs(case: Case) -> list[tuple[int, int]]:
  """Returns the features that share a set, two by two."""
  k = case.set_size
  return [(i, j) for i in range(6) for j in range(i + 1, 6) if i // k == j // k]


@cases_of("correlated_sets")
def test_correlated_sets_are_active_or_silent_as_a_whole(case):
  # Where densities differ, the likelier member is active whenever the less likely one is.
  active = draw(case) != 0
  p = np.float32(case.density).astype(float)
  for i, j in pairs(case):
    more, less = (i, j) if p[i] >= p[j] else (j, i)
    assert not np.any(active[:, less] & ~active[:, more])
    both = min(p[i], p[j])
    assert_mean(active[:, i] & active[:, j], both, both * (1 - both))


@cases_of("correlated_sets")
def test_values_within_a_correlated_set_are_independent(case):
  x, p = draw(case), case.density
  for i, j in pairs(case):
    if min(p[i], p[j]) >= COMMON:
      together = x[(x[:, i] != 0) & (x[:, j] != 0)]
      assert_uncorrelated(together[:, [i, j]])
      # E[x_i x_j] = min(p_i, p_j) / 4.
      both = min(p[i], p[j])
      assert_mean(x[:, i] * x[:, j], both / 4, both / 9 - (both / 4) ** 2)


@cases_of("anticorrelated_sets")
def test_at_most_one_feature_of_an_anticorrelated_set_is_active(case):
  active = in_sets(draw(case) != 0, case).sum(axis=-1)
  assert active.max() <= 1
  # The set is active with the sum of its members' densities.
  p = in_sets(np.float32(case.density).astype(float), case).sum(axis=-1)
  assert_mean(active, p, np.maximum(p * (1 - p), 2**-23))


def test_sets_of_one_are_single_features():
  # Not the same draws: decision and value are separate. But the same law, by the two samples.
  single = draw(CASES[0])
  for name in ("correlated_sets", "anticorrelated_sets"):
    x = draw(Case(name, 1, SPREAD), index=1)
    for feature in range(1, 6):
      p_value = stats.ks_2samp(single[:, feature], x[:, feature], method="asymp").pvalue
      assert p_value > LEAST_P_VALUE
