"""Correlated sets of features: how their directions lie, and the exact loss on them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toy_superposition.geometry import sets
from toy_superposition.models import AutoencoderParams
from toy_superposition.theory import expected_loss, sets_loss


def plane(*degrees: float, norm: float = 1.0) -> np.ndarray:
  """Returns directions in the plane."""
  turn = np.radians(degrees)
  return norm * np.array([np.cos(turn), np.sin(turn)])


HEXAGON = plane(0, 64, 120, 184, 240, 304, norm=0.97)


def test_cosines_within_and_across_sets():
  orthogonal, opposite = plane(10, 100, 190, 280), plane(10, 190, 100, 280)
  np.testing.assert_allclose(sets.within(orthogonal, 2), [0, 0], atol=1e-12)
  np.testing.assert_allclose(sets.across(orthogonal, 2).min(axis=1), -1)
  np.testing.assert_allclose(sets.within(opposite, 2), [-1, -1])
  np.testing.assert_allclose(sets.within(HEXAGON, 3)[:3], np.cos(np.radians([64, 120, 56])))
  assert sets.across(HEXAGON, 2).shape == (6, 4)


def test_sets_are_adjacent_if_no_other_feature_comes_between():
  assert sets.adjacent(HEXAGON, 2)
  assert sets.adjacent(plane(350, 10, 100, 140, 200, 230), 2)  # around 0°
  assert not sets.adjacent(HEXAGON[:, [0, 2, 1, 3, 4, 5]], 2)


def test_a_pair_is_collapsed_if_its_columns_have_one_direction_and_are_not_tiny():
  W = np.concatenate([plane(0, 5), plane(0, 90), plane(50, 50, norm=0.01)], axis=1)
  np.testing.assert_array_equal(sets.collapsed(W), [True, False, False])


def test_blocks_of_a_basis_and_its_rotation():
  rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(10, 10)))[0]
  W = np.concatenate([np.eye(10), -rotation], axis=1)
  np.testing.assert_allclose(sets.products_within(W, 10), 0, atol=1e-12)
  np.testing.assert_allclose(sets.products_between(W, 10), -rotation)
  np.testing.assert_allclose(np.linalg.svd(sets.products_between(W, 10))[1], 1)


def test_sets_of_one_are_independent_features():
  rng = np.random.default_rng(0)
  params = AutoencoderParams(
    W=jnp.asarray(rng.normal(size=(2, 2)), jnp.float32), b=jnp.asarray([0.1, -0.2])
  )
  loss = sets_loss.expected_loss(params, jnp.float32(0.3), set_size=1)
  exact = jax.jit(expected_loss.expected_feature_loss)(params, jnp.full(2, 0.3), jnp.ones(2)).sum()
  assert float(loss) == pytest.approx(float(exact), rel=1e-3)


def test_losses_of_many_models_are_those_of_each():
  W = np.random.default_rng(1).normal(size=(2, 3, 2, 4)).astype(np.float32)
  params, density = AutoencoderParams(W=W, b=np.zeros((2, 3, 4), np.float32)), np.full((2, 3), 0.1)
  alone = AutoencoderParams(W=jnp.asarray(W[1, 2]), b=jnp.zeros(4))
  loss = sets_loss.expected_loss(alone, jnp.float32(0.1), set_size=2)
  losses = sets_loss.expected_losses(params, density, set_size=2)
  assert losses.shape == (2, 3)
  assert losses[1, 2] == pytest.approx(float(loss), rel=1e-5)


def test_two_pairs_opposite_to_each_other_lose_their_closed_form():
  W = np.array([[1.0, 0, -1, 0], [0, 1, 0, -1]], np.float32)
  loss = sets_loss.expected_losses(
    AutoencoderParams(W=W, b=np.zeros(4, np.float32)), np.array(0.05), set_size=2
  )
  assert float(loss) == pytest.approx(2 * 0.05**2 / 3, rel=2e-3)
