"""Neurons: purity, codes and motifs of weights written by hand."""

import numpy as np
import pytest

from toy_superposition.geometry import definitions, neurons

rng = np.random.default_rng(0)


def test_purity_is_the_share_of_the_largest_square_and_0_for_silent_neurons():
  W = np.array([[0.0, -3, 4], [1, 0, 0], [0, 0, 0]])
  np.testing.assert_allclose(definitions.purity(W), [16 / 25, 1, 0])


def test_a_feature_that_only_silences_a_neuron_is_not_represented_by_it():
  W = np.array([[-5.0, 0.3, 0], [2, 0.1, 0]])
  assert neurons.monosemantic(W) == 2
  assert neurons.monosemantic(W, nonnegative=True) == 1


def test_features_share_the_neurons_that_are_neither_monosemantic_nor_silent():
  W = np.zeros((4, 5))
  W[0, 0], W[1, :2], W[2, 1:4] = 1, (1, 0.1), (0.8, 0.8, 0.1)  # the last neuron is silent
  assert neurons.shared(W) == (2, 1)  # feature 0 has two neurons, and feature 3 is too weak
  W[2, 3] = -0.8
  assert neurons.shared(W) == (3, 1)
  assert neurons.shared(np.eye(3, 5)) == (0, 0)


def test_rescaling_keeps_the_function():
  W1, W2 = rng.normal(size=(4, 3)), rng.normal(size=(3, 4))
  W1[2] = 0
  new1, new2 = neurons.rescaled(W1, W2)
  x = rng.normal(size=(3, 50))
  np.testing.assert_allclose(new2 @ np.maximum(new1 @ x, 0), W2 @ np.maximum(W1 @ x, 0))
  np.testing.assert_allclose(np.abs(new1).max(axis=1), [1, 1, 0, 1])


def binary(signs):
  W = np.zeros((3, 5))
  W[0, 0] = 1
  W[1:, 1:4] = 0.8 * np.array(signs).T
  return W


def test_the_binary_code_needs_two_neurons_and_three_sign_patterns():
  assert neurons.has_binary_code(binary([(1, 1), (1, -1), (-1, 1)]))
  assert not neurons.has_binary_code(binary([(1, 1), (1, -1), (1, -1)]))
  assert not neurons.has_binary_code(binary([(1, 1), (1, -1), (0, 0)]))
  assert not neurons.has_binary_code(np.eye(3, 5))


def test_the_pair_code_counts_features_whose_pair_no_other_feature_has():
  W = -np.ones((4, 6))
  pairs = [(a, b) for a in range(4) for b in range(a)]
  for i, pair in enumerate(pairs):
    W[list(pair), i] = 0.7
  assert neurons.pair_code(W) == 6
  W[:, 5] = W[:, 4]  # now two features have the same pair
  assert neurons.pair_code(W) == 4
  W[:, 0] = 0.7  # and one feature has all neurons
  assert neurons.pair_code(W) == 3
  assert neurons.pair_code(-np.ones((4, 6))) == 0


def motif():
  """Returns neuron 0 for features 0 and 1, and neuron 1, for feature 2, as its inhibitor."""
  W1 = np.array([[2.0, -0.5, 0], [0.4, 0, 2], [0, 1, 0]])
  W2 = np.array([[0.5, 0, 0], [2, -3, 1], [0, 0.5, 0]])
  return W1, W2


def test_the_asymmetric_motif_is_found_with_its_inhibitor():
  (only,) = neurons.asymmetric_motifs(*motif())
  assert only == neurons.Motif(neuron=0, first=0, second=1, inhibitor=1)


@pytest.mark.parametrize("change", ["no inhibitor", "other sign", "symmetric", "no answer"])
def test_weights_that_lack_a_part_are_not_the_motif(change):
  W1, W2 = motif()
  if change == "no inhibitor":
    W2[1, 1] = 0
  elif change == "other sign":
    W1[1, 0] = -0.4  # active when the neuron is not
  elif change == "symmetric":
    W1[0, 1] = -1.9
  else:
    W2[1, 0] = 0.5
  assert not neurons.asymmetric_motifs(W1, W2)


def test_rescaled_weights_have_the_same_motifs():
  W1, W2 = motif()
  scale = np.array([0.1, 30, 2])
  scaled = neurons.asymmetric_motifs(W1 * scale[:, None], W2 / scale)
  assert scaled == neurons.asymmetric_motifs(W1, W2)
