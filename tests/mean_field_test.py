"""The mean field of many features: closed forms against quadrature, numbers of other sources."""

import numpy as np
import pytest
from scipy import stats

from toy_superposition.theory import mean_field


@pytest.mark.parametrize(
  ("a", "b", "s"), [(1.0, -0.2, 0.3), (0.4, 0.1, 0.05), (1.3, -0.9, 1.1), (0.7, -0.1, 0.0)]
)
def test_the_closed_form_of_the_noisy_loss_is_its_integral(a, b, s):
  p, n = 0.2, 1000
  x, deviation = (np.arange(n) + 0.5) / n, np.linspace(-8, 8, n)  # midpoint and trapezoidal rules
  weights = stats.norm.pdf(deviation) * (deviation[1] - deviation[0])
  noise = s * deviation
  active = np.mean((x[:, None] - np.maximum(a * x[:, None] + b + noise, 0)) ** 2 @ weights)
  at_rest = np.maximum(b + noise, 0) ** 2 @ weights
  expected = (1 - p) * at_rest + p * active
  assert mean_field.noisy_loss(a, b, s, p) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_a_feature_alone_in_its_dimension_is_exact_and_an_ignored_one_costs_its_variance():
  alone = mean_field.represented(1.0, 0.1)
  assert alone.loss == pytest.approx(0, abs=1e-9)
  assert (alone.gain, alone.bias) == pytest.approx((1, 0), abs=1e-3)
  assert mean_field.represented(1e4, 0.1).loss == pytest.approx(mean_field.variance(0.1), rel=1e-2)


def test_the_loss_of_a_code_is_the_best_of_all_gains_and_biases():
  gains, biases = np.meshgrid(np.linspace(0.05, 2, 157), np.linspace(-1, 0.3, 163))
  for load, p in ((1.5, 0.3), (4.0, 0.1), (20.0, 0.02)):
    noise = np.sqrt((load - 1) * mean_field.variance(p))
    grid = mean_field.noisy_loss(gains, biases, gains * noise, p).min()
    loss = mean_field.represented(load, p).loss
    assert loss <= grid <= 1.01 * loss
    fixed = mean_field.best_code(noise, p, gain=1.0)
    assert fixed.gain == 1 and fixed.loss >= loss


def test_load_and_critical_width_are_those_of_an_independent_computation():
  assert mean_field.best_load(0.1) == pytest.approx(3.87, abs=0.005)
  assert 1 / mean_field.best_load(0.1) == pytest.approx(0.2585, abs=5e-5)
  assert mean_field.share_represented(1 / 16, 0.1) == pytest.approx(0.242, abs=5e-4)
  ignored = mean_field.variance(0.1)
  assert mean_field.loss_per_feature(1 / 16, 0.1) / ignored == pytest.approx(0.883, abs=5e-4)
  assert mean_field.loss_per_feature(1 / 4, 0.05) == pytest.approx(0.005789, abs=1e-6)


def test_the_critical_width_is_n_p_log_p_up_to_five_percent():
  p = np.array([0.05, 0.1, 0.2, 0.3])
  factor = 1 / (p * np.log(1 / p) * [mean_field.best_load(float(x)) for x in p])
  assert factor.max() / factor.min() <= 1.05 / 0.95


def test_the_loss_is_linear_below_the_critical_width_and_convex_and_lower_above():
  p, critical = 0.1, 1 / mean_field.best_load(0.1)
  ratios = critical * np.array([0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6])
  loss = np.array([mean_field.loss_per_feature(r, p) for r in ratios])
  share = np.array([mean_field.share_represented(r, p) for r in ratios])
  assert np.diff(loss, 2)[:3] == pytest.approx(0, abs=1e-9)
  assert (np.diff(loss, 2)[4:] > 0).all() and (np.diff(loss) < 0).all()
  assert share == pytest.approx(np.minimum(ratios / critical, 1))
  assert loss[4] == pytest.approx(mean_field.represented(1 / critical, p).loss, rel=1e-6)
