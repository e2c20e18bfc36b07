"""Measures of known arrangements: polytopes, tight frames, single features."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toy_superposition.geometry import features
from toy_superposition.measures import MEASURES, measure
from toy_superposition.models import TiedParams

ROUND_OFF = 1e-6  # float32: sums of at most 20 terms of order one


def polygon(n: int) -> np.ndarray:
  angle = 2 * np.pi * np.arange(n) / n
  return np.stack([np.cos(angle), np.sin(angle)])


def antiprism(height: float) -> np.ndarray:
  """Returns a square antiprism on the unit sphere, its squares at ± height."""
  angle = np.pi / 4 * np.arange(8)
  z = height * (-1.0) ** np.arange(8)
  radius = np.sqrt(1 - height**2)
  return np.stack([radius * np.cos(angle), radius * np.sin(angle), z])


TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]).T / np.sqrt(3)
OCTAHEDRON = np.concatenate([np.eye(3), -np.eye(3)], axis=1)
PENTAGONAL_BIPYRAMID = np.block([[polygon(5), np.zeros((2, 2))], [np.zeros((1, 5)), 1, -1]])
DIMENSIONALITY: dict[str, tuple[np.ndarray, Any]] = {
  "dedicated": (np.eye(3), 1),
  "digon": (np.array([[1.0, -1]]), 1 / 2),
  "triangle": (polygon(3), 2 / 3),
  "square": (polygon(4), 1 / 2),
  "pentagon": (polygon(5), 2 / 5),
  "tetrahedron": (TETRAHEDRON, 3 / 4),
  "octahedron": (OCTAHEDRON, 1 / 2),
  "tight square antiprism": (antiprism(1 / np.sqrt(3)), 3 / 8),
  # Not 3/7: each part keeps the dimensionality that it has alone.
  "pentagonal bipyramid": (PENTAGONAL_BIPYRAMID, [2 / 5] * 5 + [1 / 2] * 2),
}


def tight_frame(m: int, n: int) -> np.ndarray:
  """Returns n columns of unequal lengths with W Wᵀ = 1: the first m rows of a rotation."""
  return np.linalg.qr(np.random.default_rng(n).normal(size=(n, n)))[0][:m]


@pytest.mark.parametrize("name", DIMENSIONALITY)
def test_dimensionality_of_polytopes_whatever_their_size(name):
  W, expected = DIMENSIONALITY[name]
  dimensionality = jax.jit(features.feature_dimensionality)
  for scale in (1, 0.7):
    D = dimensionality(jnp.float32(scale * W))
    np.testing.assert_allclose(D, np.broadcast_to(expected, D.shape), rtol=0, atol=ROUND_OFF)


@pytest.mark.parametrize("W", [tight_frame(2, 7), tight_frame(5, 20), polygon(5), TETRAHEDRON])
def test_dimensionalities_of_a_tight_frame_add_up_to_the_hidden_dimensions(W):
  total = np.asarray(jax.jit(features.feature_dimensionality)(jnp.float32(W))).sum()
  assert total == pytest.approx(len(W), rel=10 * ROUND_OFF)


def test_orthonormal_rows_have_one_hidden_dimension_per_feature():
  D = features.dimensions_per_feature(jnp.float32(tight_frame(5, 20)))
  assert float(D) == pytest.approx(1, abs=ROUND_OFF)
  assert float(features.dimensions_per_feature(jnp.array([[1.0, -1]]))) == 0.5
  assert float(features.dimensions_per_feature(jnp.zeros((2, 3)))) == np.inf


def test_an_antipodal_pair_of_unit_vectors_is_in_superposition_one():
  np.testing.assert_array_equal(features.superposition(jnp.array([[1.0, -1]])), [1, 1])
  np.testing.assert_array_equal(features.superposition(jnp.eye(3)), [0, 0, 0])


def test_two_oblique_directions_by_hand():
  W = jnp.array([[2.0, 0.6], [0, 0.8]])  # ‖W_0‖ = 2, ‖W_1‖ = 1, W_0 · W_1 = 1.2
  np.testing.assert_allclose(features.feature_norm(W), [2, 1], rtol=ROUND_OFF)
  np.testing.assert_allclose(features.superposition(W), [0.36, 1.44], rtol=ROUND_OFF)
  np.testing.assert_allclose(
    features.feature_dimensionality(W), [4 / 4.36, 1 / 2.44], rtol=ROUND_OFF
  )
  assert float(features.dimensions_per_feature(W)) == pytest.approx(2 / 5, rel=ROUND_OFF)


def test_an_absent_feature_has_no_norm_no_superposition_and_no_dimension():
  W = np.concatenate([polygon(5), np.zeros((2, 1))], axis=1)
  for function, rest in (
    (features.feature_norm, 1),
    (features.superposition, 1.5),
    (features.feature_dimensionality, 2 / 5),
  ):
    values = np.asarray(jax.jit(function)(jnp.float32(W)))
    assert values[5] == 0
    np.testing.assert_allclose(values[:5], rest, rtol=10 * ROUND_OFF)


def test_vanishing_directions_give_finite_values():
  W = jnp.float32(polygon(5) * np.geomspace(1e-30, 1, 5))  # squares underflow
  for name in ("feature_norm", "superposition", "feature_dimensionality"):
    assert np.all(np.isfinite(MEASURES[name].function(W)))


def test_scaling_all_directions_scales_each_measure_by_its_power():
  W = np.random.default_rng(0).normal(size=(3, 5))
  for function, power in (
    (features.feature_norm, 1),
    (features.superposition, 2),
    (features.feature_dimensionality, 0),
    (features.dimensions_per_feature, -2),
  ):
    once, scaled = (np.asarray(function(jnp.float32(s * W))) for s in (1, 3))
    np.testing.assert_allclose(scaled, 3.0**power * once, rtol=10 * ROUND_OFF)


@pytest.mark.parametrize("name", MEASURES)
def test_measures_of_renumbered_features_are_renumbered(name):
  W, order = np.random.default_rng(0).normal(size=(3, 5)), np.array([2, 0, 4, 1, 3])
  values, permuted = (np.asarray(MEASURES[name].function(jnp.float32(w))) for w in (W, W[:, order]))
  for axis, dim in enumerate(MEASURES[name].dims):
    values = np.take(values, order, axis=axis) if dim == "feature" else values
  np.testing.assert_allclose(permuted, values, rtol=10 * ROUND_OFF)


def test_measuring_many_instances_is_measuring_each():
  W = jnp.float32(np.random.default_rng(0).normal(size=(4, 2, 5)))
  measured = measure(TiedParams(W=W, b=jnp.zeros((4, 5))), tuple(MEASURES))
  assert set(measured) == set(MEASURES)
  for name, values in measured.items():
    for i in range(4):
      np.testing.assert_allclose(values[i], MEASURES[name].function(W[i]), rtol=10 * ROUND_OFF)
