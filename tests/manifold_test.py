"""Features tuned to the angles of a circle: samples and the grid have their closed-form moments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import small
from toy_superposition import declare, draws, streams
from toy_superposition.types import Instance

N_SAMPLES = 100_000
N_ERRORS = 4.5  # standard errors: a chance of 1e-5 per number, and the keys are fixed
DENSITY = (0.5, 0.3, 0.1, 0.0, 1.0, 0.02)
AMPLITUDE = {"one": (1, 1), "uniform": (1 / 2, 1 / 3)}  # E a, E a²
amplitudes = pytest.mark.parametrize("amplitude", AMPLITUDE)


def row(amplitude: str):
  return declare.build("data.distribution", "tuned_circle", {"data.amplitude": amplitude})


def instance(density) -> Instance:
  density = jnp.float32(density)
  return Instance(jnp.int32(0), density, jnp.ones_like(density), jnp.float32(1))


def moments(amplitude: str) -> np.ndarray:
  """Returns E x_i and E x_i²: the integrals of cosine and its square over ± ½ ℓπ, with ℓ = 2p."""
  p = np.array(DENSITY)
  mean, square = AMPLITUDE[amplitude]
  return np.stack([mean * 2 * p / np.pi, square * p / 2])


@amplitudes
def test_samples_have_their_densities_and_moments(amplitude):
  made, one = row(amplitude), instance(DENSITY)

  @jax.jit
  def drawn(key):
    u = draws.uniform("threefry", key, made.n_draws(len(DENSITY)), N_SAMPLES)
    return jax.vmap(lambda u: made.features(u, one), 1, 1)(u)

  x = np.asarray(drawn(streams.words(streams.root(3), streams.Stream.EVALUATE, 0)), float)
  p = np.array(DENSITY)
  error = N_ERRORS * np.sqrt(p * (1 - p) / N_SAMPLES) + 1e-6
  assert np.all(np.abs((x != 0).mean(axis=1) - p) <= error + 2e-5)  # cos is 0 at one point
  expected = moments(amplitude)
  for power, value in ((x, expected[0]), (x**2, expected[1])):
    error = N_ERRORS * power.std(axis=1) / N_SAMPLES**0.5 + 1e-6
    assert np.all(np.abs(power.mean(axis=1) - value) <= error)
  np.testing.assert_allclose(made.moments(jnp.float32(DENSITY)), expected, rtol=1e-5)


@amplitudes
def test_the_grid_of_the_exact_loss_has_the_moments_of_features_that_are_not_too_narrow(amplitude):
  made, one = row(amplitude), instance(DENSITY)
  x, weights = (np.asarray(array, float) for array in jax.jit(made.patterns)(one))
  assert x.shape == (len(DENSITY), made.n_patterns(len(DENSITY)))
  assert weights.sum() == pytest.approx(1, abs=1e-6)
  found, wide = np.stack([x @ weights, x**2 @ weights]), np.array(DENSITY) >= 0.1
  np.testing.assert_allclose(found[:, wide], moments(amplitude)[:, wide], rtol=0.01)


def test_at_density_a_half_a_feature_is_the_rectified_cosine_of_its_angle():
  one = instance([0.5] * 4)
  x = row("one").features(jnp.float32([1 / 16, 0]), one)
  angle = 2 * np.pi * (np.arange(4) / 4 - 1 / 16)
  np.testing.assert_allclose(x, np.maximum(np.cos(angle), 0), atol=1e-6)


def test_rarer_features_than_angles_resolve_are_refused():
  made, spec = row("one"), small.spec(distribution="tuned_circle")
  assert made.refuses(spec, instance([0.5, 0.0])) == ""
  assert "at least" in made.refuses(spec, instance([0.5, 1e-5]))
