"""Feature distributions against their exact moments, for several densities at once."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from toy_superposition import streams
from toy_superposition.distributions import DISTRIBUTIONS
from toy_superposition.streams import Stream

DENSITY = np.array([0, 0.003, 0.03, 0.3, 0.7, 1])
N_SAMPLES = 200_000
N_ERRORS = 4.5  # standard errors: a chance of 1e-5 per number, and the keys are fixed
LEAST_P_VALUE = 1e-3  # of a Kolmogorov–Smirnov test
# Of an active value: lowest value, width, mean, and mean of the second and fourth powers.
ACTIVE = {
  "sparse_uniform": (0, 1, 1 / 2, 1 / 3, 1 / 5),
  "sparse_signed_uniform": (-1, 2, 0, 1 / 3, 1 / 5),
}


@functools.cache
def draw(name: str, instance: int = 0, step: int = 0) -> np.ndarray:
  key = streams.key(streams.root(0), Stream.TRAIN, instance, step)
  return np.asarray(DISTRIBUTIONS[name](key, jnp.float32(DENSITY), N_SAMPLES), np.float64)


def assert_mean(values, expected, variance):
  error = np.abs(values.mean(axis=0) - expected)
  assert np.all(error <= N_ERRORS * np.sqrt(variance / N_SAMPLES) + 1e-12), error


def assert_uncorrelated(columns):
  correlation = np.corrcoef(columns, rowvar=False)
  off_diagonal = correlation[~np.eye(len(correlation), dtype=bool)]
  assert np.abs(off_diagonal).max() <= N_ERRORS / np.sqrt(len(columns))


@pytest.mark.parametrize("name", ACTIVE)
def test_density_mean_and_second_moment(name):
  # sparse_uniform: p, p/2 and p/3; signed: p, 0 and p/3.
  x, p = draw(name), DENSITY
  _, _, mean, second, fourth = ACTIVE[name]
  assert_mean(x != 0, p, p * (1 - p))
  assert_mean(x, p * mean, p * second - (p * mean) ** 2)
  assert_mean(x**2, p * second, p * fourth - (p * second) ** 2)


@pytest.mark.parametrize("name", ACTIVE)
def test_density_zero_gives_exact_zeros_and_density_one_is_always_active(name):
  x = draw(name)
  assert np.all(x[:, 0] == 0)
  assert np.all(x[:, -1] != 0)


@pytest.mark.parametrize("name", ACTIVE)
@pytest.mark.parametrize("feature", range(2, len(DENSITY)))
def test_active_values_are_uniform_whatever_the_density(name, feature):
  low, width, *_ = ACTIVE[name]
  active = draw(name)[:, feature]
  active = active[active != 0]
  assert low <= active.min() and active.max() < low + width
  assert stats.kstest(active, "uniform", args=(low, width)).pvalue > LEAST_P_VALUE


@pytest.mark.parametrize("name", ACTIVE)
@pytest.mark.parametrize("u", [0, np.nextafter(np.float32(0.3), np.float32(0)), 1 - 2**-23])
def test_even_the_outermost_draws_give_zeros_at_density_zero_and_values_inside(
  name, u, monkeypatch
):
  # The least draw, the last below a density of 0.3, and the largest there is.
  def constant(key, shape, dtype):
    return jnp.full(shape, u, dtype)

  monkeypatch.setattr(jax.random, "uniform", constant)
  low, width, *_ = ACTIVE[name]
  zero, some, always = np.asarray(DISTRIBUTIONS[name](streams.root(0), jnp.array([0, 0.3, 1]), 1))[
    0
  ]
  assert zero == 0
  assert all(value == 0 or low <= value < low + width for value in (some, always))
  assert u > 0.3 or some == pytest.approx(low + width * u / 0.3)
  assert always == pytest.approx(low + width * u)


@pytest.mark.parametrize("name", ACTIVE)
def test_features_are_independent(name):
  x = draw(name)[:, 1:]
  assert_uncorrelated(x)
  assert_uncorrelated(x**2)
  assert_uncorrelated(x[:, :-1] != 0)


@pytest.mark.parametrize("name", ACTIVE)
def test_instances_and_steps_are_independent(name):
  batches = [draw(name, 0, 0), draw(name, 1, 0), draw(name, 2, 0), draw(name, 0, 1)]
  for feature in range(1, len(DENSITY)):
    assert_uncorrelated(np.stack([x[:, feature] for x in batches], axis=1))
