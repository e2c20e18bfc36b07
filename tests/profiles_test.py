"""Profiles worked by hand."""

import numpy as np
import pytest

from toy_superposition import declare
from toy_superposition.profiles import PROFILES

BASE, RATIO = np.array([1.0, 2.0, 4.0]), np.array([0.5, 3.0, 0.0])
TAIL, SCALE = np.array([1.0, 0.0, -1.0]), np.array([1.0, 1 / np.log(2), 2.0])
BY_HAND = {
  "uniform": [[1, 1, 1], [2, 2, 2], [4, 4, 4]],
  "geometric": [[1, 0.5, 0.25], [2, 6, 18], [4, 0, 0]],
  "zipf": [[1, 0.625, 0.5], [2, 5, 6], [4, 1, 0]],
  "first_apart": [[0.5, 1, 1], [6, 2, 2], [0, 4, 4]],
  "last_apart": [[1, 1, 0.5], [2, 2, 6], [4, 4, 0]],
}


def values(name, base, ratio, n_features):
  """Returns the values of a profile, with a ratio if it has one."""
  shape = {"density.exponent": np.ones(len(base)), "density.tail": TAIL, "density.scale": SCALE}
  numbers = {"density.ratio": ratio} | shape
  row = declare.build("density.profile", name, numbers)
  return row.values(base, n_features)


@pytest.mark.parametrize("name", BY_HAND)
def test_values_by_hand(name):
  np.testing.assert_array_equal(values(name, BASE, RATIO, 3), BY_HAND[name])


def test_pareto_values_are_a_power_law_exponential_or_linear_and_add_up_to_base():
  shares = values("pareto", BASE, RATIO, 3) / BASE[:, None]
  by_hand = [np.array([6, 3, 2]) / 11, np.array([4, 2, 1]) / 7, np.array([2, 1, 0]) / 3]
  np.testing.assert_allclose(shares, by_hand, rtol=1e-12)
  row = declare.build(
    "density.profile",
    "pareto",
    {"density.tail": np.array([1 / 1.5, 1e-7, 0]), "density.scale": np.array([1 / 1.5, 5, 5])},
  )
  power, nearly, exponential = row.values(np.ones(3), 50)
  np.testing.assert_allclose(power / power[0], np.arange(1, 51) ** -1.5, rtol=1e-12)
  np.testing.assert_allclose(nearly, exponential, rtol=1e-5)


@pytest.mark.parametrize("name", ["first_apart", "last_apart"])
def test_a_single_feature_is_the_one_that_stands_apart(name):
  np.testing.assert_array_equal(values(name, BASE, RATIO, 1), (BASE * RATIO)[:, None])


@pytest.mark.parametrize("name", PROFILES)
def test_base_and_ratio_are_not_modified_even_through_the_result(name):
  base, ratio = BASE.copy(), RATIO.copy()
  values(name, base, ratio, 3)[:] = -1
  np.testing.assert_array_equal(base, BASE)
  np.testing.assert_array_equal(ratio, RATIO)
