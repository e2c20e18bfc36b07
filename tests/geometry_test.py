"""Definitions, sets, rank correlation, connected components and random rotations."""

import jax.numpy as jnp
import numpy as np
import pytest

from toy_superposition.geometry import definitions, features, sets
from toy_superposition.geometry.components import components, connected, polygon
from toy_superposition.geometry.correlation import rank_correlation
from toy_superposition.geometry.rotations import fourth_moment, random_rotations
from toy_superposition.models import MODELS, AutoencoderParams, MLPParams


def random(*shape: int) -> np.ndarray:
  return np.random.default_rng(0).normal(size=shape)


def test_a_feature_is_represented_from_a_norm_of_0_548_on():
  norm = np.array([0.0, 0.3, 0.547, 0.548, 0.7, 1.0])
  turn = np.linspace(0, 2, len(norm))
  W = norm * np.array([np.cos(turn), np.sin(turn)])
  expected = [False, False, False, True, True, True]
  assert definitions.is_represented(W).tolist() == expected
  assert definitions.is_represented_norm(norm).tolist() == expected


def test_components_are_made_of_the_represented_features():
  W = 0.5 * random(4, 12)
  members = np.concatenate([component.features for component in components(W)])
  represented = definitions.is_represented(W)
  assert 0 < represented.sum() < 12
  assert sorted(members.tolist()) == np.flatnonzero(represented).tolist()


def test_a_neuron_is_monosemantic_above_nine_tenths_of_its_squared_weights():
  share = np.array([0.5, 0.89, 0.91, 1.0])
  W = np.stack([np.sqrt(1 - share), -np.sqrt(share)], axis=1)
  np.testing.assert_allclose(definitions.purity(W), share)
  assert definitions.is_monosemantic(W).tolist() == [False, False, True, True]
  assert not definitions.is_monosemantic(W, nonnegative=True).any()
  assert definitions.is_monosemantic(-W, nonnegative=True).tolist() == [False, False, True, True]


def test_a_silent_neuron_is_neither_pure_nor_monosemantic():
  W = np.array([[0.0, 0, 0], [1e-7, 0, 0]])
  assert definitions.purity(W).tolist() == [0, 0]
  assert not definitions.is_monosemantic(W).any()


def test_features_per_dimension_is_the_inverse_of_dimensions_per_feature():
  assert definitions.features_per_dimension(polygon(5)) == pytest.approx(5 / 2)
  W = random(3, 7).astype(np.float32)
  inverse = 1 / features.dimensions_per_feature(jnp.asarray(W))
  assert definitions.features_per_dimension(W) == pytest.approx(float(inverse), rel=1e-6)


@pytest.mark.parametrize(
  "function",
  [
    definitions.is_represented,
    definitions.purity,
    definitions.is_monosemantic,
    definitions.features_per_dimension,
  ],
)
def test_definitions_hold_model_by_model(function):
  W = random(2, 3, 4, 6)
  W[0, 1, 2] = 0
  values = function(W)
  for i in np.ndindex(2, 3):
    np.testing.assert_array_equal(values[i], function(W[i]))


def test_connected_components_are_complete_sorted_and_in_the_order_of_their_smallest_members():
  edges = np.eye(7, dtype=bool)
  for i, j in [(5, 0), (5, 3), (6, 2)]:  # 0 and 3 are joined through 5 alone
    edges[i, j] = edges[j, i] = True
  assert [members.tolist() for members in connected(edges)] == [[0, 3, 5], [1], [2, 6], [4]]
  assert connected(np.zeros((0, 0), dtype=bool)) == []


def test_rank_correlation_is_spearman_s_with_ties_at_their_mean_rank():
  a = np.array([1, 2, 3, 4, 5])
  # 1 − 6 Σ d² / (n (n² − 1)) without ties, with Σ d² = 4.
  assert rank_correlation(a, np.array([0.2, 0.1, 4, 3, 50])) == pytest.approx(0.8)
  assert rank_correlation(a, -np.exp(a)) == pytest.approx(-1)
  tied = rank_correlation(a, np.array([7, 7, 8, 9, 9]))
  assert tied == pytest.approx(np.corrcoef(a, [1.5, 1.5, 3, 4.5, 4.5])[0, 1])


def test_rank_correlation_with_a_constant_is_nan_without_a_warning():
  a = np.arange(4)
  assert np.isnan(rank_correlation(a, np.ones(4)))
  assert np.isnan(rank_correlation(np.ones(4), a))


@pytest.mark.parametrize("n_hidden", [1, 2, 5, 20])
@pytest.mark.parametrize("count", [1, 3])
def test_random_rotations_are_q_of_qr_with_a_positive_diagonal(count, n_hidden):
  """Stored losses after rotations depend on every bit of them."""
  normal = np.random.default_rng(7).standard_normal((count, n_hidden, n_hidden))
  q, r = np.linalg.qr(normal)
  expected = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
  rotations = random_rotations(np.random.default_rng(7), count, n_hidden)
  np.testing.assert_array_equal(rotations, expected)


def test_random_rotations_are_orthogonal_and_have_no_preferred_sign():
  turns = random_rotations(np.random.default_rng(0), 400, 4)
  products = turns @ np.swapaxes(turns, 1, 2)
  assert np.abs(products - np.eye(4)).max() < 1e-12
  assert abs(turns[:, 0, 0].mean()) < 0.1
  assert abs((turns[:, 0, 0] ** 2).mean() - 1 / 4) < 0.05


@pytest.mark.parametrize("name", ["relu_output", "relu_hidden", "absolute_value"])
def test_a_rotation_leaves_the_outputs_unchanged_if_the_hidden_layer_is_linear_only(name):
  rng = np.random.default_rng(1)
  W, W2 = (jnp.asarray(rng.normal(size=size)) for size in ((3, 5), (5, 3)))
  b, x = jnp.zeros(5), jnp.asarray(rng.uniform(size=5))
  params = MLPParams(W, W2, b) if name == "absolute_value" else AutoencoderParams(W, b)
  turned = params.rotated(jnp.asarray(random_rotations(rng, 1, 3)[0]))
  change = np.abs(MODELS[name].apply(turned, x) - MODELS[name].apply(params, x)).max()
  assert change < 1e-5 if name == "relu_output" else change > 0.01


def test_the_fourth_moment_is_1_on_the_axes_and_1_over_m_for_equal_coordinates():
  assert float(fourth_moment(3 * jnp.eye(4), 0.3)) == pytest.approx(1)
  assert float(fourth_moment(jnp.ones((4, 2)), 0.3)) == pytest.approx(1 / 4)
  with_short = jnp.concatenate([jnp.eye(4), 0.1 * jnp.ones((4, 3))], axis=1)
  assert float(fourth_moment(with_short, 0.3)) == pytest.approx(1)


def test_sets_are_neighbours_and_their_pairs_add_up_to_all():
  W = random(2, 6)
  assert sets.set_of(6, 2).tolist() == [0, 0, 1, 1, 2, 2]
  assert len(sets.within(W, 2)) == 3
  assert sets.across(W, 2).shape == (6, 4)
  unit = W / np.linalg.norm(W, axis=0)
  total = 2 * sets.within(W, 2).sum() + sets.across(W, 2).sum() + 6
  assert total == pytest.approx((unit.T @ unit).sum())


@pytest.mark.parametrize(
  ("second", "expected"),
  [((0.9, 0.05), True), ((0.5, 0.5), False), ((-1.0, 0.0), False), ((0.2, 0.0), False)],
)
def test_a_pair_is_collapsed_if_its_columns_point_one_way_and_neither_is_short(second, expected):
  W = np.array([[1.0, 0.0], second]).T
  assert sets.collapsed(W).tolist() == [expected]
