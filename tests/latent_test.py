"""Features with a hidden cause: samples, all examples and closed forms say the same."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toy_superposition import declare, draws, streams
from toy_superposition.distributions.finite import subsets
from toy_superposition.distributions.latent import LEFT_OUT, BagOfWords, finite, probabilities
from toy_superposition.types import Instance

N_SAMPLES = 100_000
N_ERRORS = 4.5  # standard errors: a chance of 1e-5 per number, and the keys are fixed
N = 6


def row(manifold: str):
  return declare.build("data.distribution", "bag_of_words", {"data.manifold": manifold})


def instance(density) -> Instance:
  density = jnp.float32(density)
  return Instance(jnp.int32(0), density, jnp.ones_like(density), jnp.float32(1))


def samples(made, one: Instance) -> np.ndarray:
  """Returns features (feature, example)."""

  @jax.jit
  def drawn(key):
    u = draws.uniform("threefry", key, made.n_draws(N), N_SAMPLES)
    return jax.vmap(lambda u: made.features(u, one), 1, 1)(u)

  return np.asarray(drawn(streams.words(streams.root(3), streams.Stream.EVALUATE, 0)), float)


@pytest.mark.parametrize("manifold", BagOfWords.MANIFOLDS)
def test_samples_and_all_examples_have_the_same_moments(manifold):
  made = row(manifold)
  one = instance(made.densities(np.zeros(N)))
  x = samples(made, one)
  all_x, weights = (np.asarray(array, float) for array in jax.jit(made.patterns)(one))
  assert weights.sum() == pytest.approx(1, abs=1e-6)
  assert len(weights) == made.n_patterns(N)
  exact = (all_x * weights) @ all_x.T
  error = np.sqrt(exact * (1 - exact) / N_SAMPLES)
  assert np.all(np.abs(x @ x.T / N_SAMPLES - exact) <= N_ERRORS * error + LEFT_OUT)
  # The diagonal is E x_i² = E x_i, and independent of the list of examples.
  np.testing.assert_allclose(np.diag(exact), one.density, atol=2 * LEFT_OUT)


def test_the_twelve_words_of_the_source_have_density_a_half_and_912_subsets_matter():
  np.testing.assert_allclose(probabilities("circle", 10.0, 12).mean(axis=0), 0.5, atol=1e-12)
  p = probabilities("circle", 10.0, 12)
  angles = 2 * np.pi * np.arange(12) / 12
  np.testing.assert_allclose(p[0], 1 / (1 + np.exp(-10 * np.cos(angles))), rtol=1e-9)
  x = subsets(12)[:, None]
  weight = np.prod(np.where(x > 0, p.T[:, :, None], 1 - p.T[:, :, None]), axis=0).mean(axis=0)
  assert (weight > 1e-9).sum() == 912
  kept = finite("circle", 10.0, 12)[0].shape[1]
  assert kept < 912 and np.sort(weight)[:-kept].sum() <= LEFT_OUT


def test_independent_words_are_all_subsets_equally_often():
  x, weight = finite("independent", 10.0, 4)
  assert x.shape == (4, 16)
  np.testing.assert_allclose(weight, 1 / 16)


def test_more_words_than_can_be_listed_are_sampled():
  assert row("circle").n_patterns(64) is None


def coins(values: str = "one", set_size: int = 2):
  fields = {"data.value_law": values, "data.set_size": set_size}
  return declare.build("data.distribution", "shared_coin", fields)


def with_correlation(made, rho: float):
  return dataclasses.replace(made, correlation=rho)


@pytest.mark.parametrize("rho", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("set_size", [2, 3])
def test_indicators_of_a_set_have_exactly_the_correlation_and_sets_are_independent(rho, set_size):
  p = 0.2
  made = with_correlation(coins(set_size=set_size), rho)
  x, weights = (np.asarray(array, float) for array in jax.jit(made.patterns)(instance([p] * N)))
  assert weights.sum() == pytest.approx(1, abs=1e-6)
  np.testing.assert_allclose(x @ weights, p, atol=1e-6)
  covariance = (x * weights) @ x.T - p**2
  same = np.equal.outer(np.arange(N) // set_size, np.arange(N) // set_size)
  expected = p * (1 - p) * np.where(np.eye(N) == 1, 1, np.where(same, rho, 0))
  np.testing.assert_allclose(covariance, expected, atol=1e-6)


@pytest.mark.parametrize("rho", [0.3, 1.0])
def test_samples_of_shared_coins_have_the_moments_of_all_examples_whatever_the_densities(rho):
  density = [0.1, 0.3, 0.5, 0.5, 0.0, 1.0]
  made, one = with_correlation(coins(), rho), instance(density)
  x = samples(made, one)
  all_x, weights = (np.asarray(array, float) for array in jax.jit(made.patterns)(one))
  exact = (all_x * weights) @ all_x.T
  np.testing.assert_allclose(np.diag(exact), density, atol=1e-6)
  error = np.sqrt(np.maximum(exact * (1 - exact), 0) / N_SAMPLES)
  assert np.all(np.abs(x @ x.T / N_SAMPLES - exact) <= N_ERRORS * error + 1e-6)


def test_values_of_a_set_with_one_coin_are_independent():
  made, one = with_correlation(coins("uniform"), 1.0), instance([0.5, 0.5])
  key = streams.words(streams.root(3), streams.Stream.EVALUATE, 0)
  u = draws.uniform("threefry", key, made.n_draws(2), N_SAMPLES)
  x = np.asarray(jax.jit(jax.vmap(lambda u: made.features(u, one), 1, 1))(u), float)
  assert made.n_patterns(2) is None
  product, p = x[0] * x[1], 0.5  # E = p/4, E² = p/9
  error = N_ERRORS * np.sqrt((p / 9 - (p / 4) ** 2) / N_SAMPLES)
  assert abs(product.mean() - p / 4) <= error
