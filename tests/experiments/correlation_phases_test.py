"""Correlated pairs: exact losses of known codes against sampling, verdicts on known weights."""

import numpy as np
import pytest
import xarray as xr
from scipy import optimize

from configs import correlation_phases as settings
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.correlation_phases import EXPERIMENT, figure, theory
from toy_superposition.experiments.correlation_phases.analysis import between_all, within
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED

N_PAIRS, M = 8, 4


def sampled_pairs(p: float, rho: float, n: int, n_pairs: int) -> np.ndarray:
  """Returns features (pair, member, example)."""
  rng = np.random.default_rng(0)
  shared = rng.uniform(size=(n_pairs, 1, n)) < rho
  coin = np.where(shared, rng.uniform(size=(n_pairs, 1, n)), rng.uniform(size=(n_pairs, 2, n)))
  return np.where(coin < p, rng.uniform(size=(n_pairs, 2, n)), 0)


def test_states_of_a_pair_have_the_moments_of_shared_coins():
  p, rho = 0.2, 0.4
  x, w = theory.pair_states(p, rho)
  assert w.sum() == pytest.approx(1)
  np.testing.assert_allclose(x @ w, p / 2)
  np.testing.assert_allclose(x**2 @ w, p / 3)
  assert (x[0] * x[1]) @ w == pytest.approx((rho * p + (1 - rho) * p**2) / 4)


def test_the_merged_code_has_the_loss_of_its_best_norm_and_bias_on_samples():
  p, rho = 0.2, 0.8
  x = sampled_pairs(p, rho, 200_000, 2)
  h = x[0].sum(axis=0) - x[1].sum(axis=0)

  def loss(at):
    outputs = (np.maximum(sign * at[0] * h + at[1], 0) for sign in (1, -1))
    return sum(((y - pair) ** 2).mean(axis=1).sum() for y, pair in zip(outputs, x, strict=True))

  best = optimize.minimize(loss, (0.6, 0.0), method="Nelder-Mead").fun
  assert theory.merged_loss(p, rho) == pytest.approx(4 * best, rel=0.025)


def test_linear_loss_is_what_the_smaller_eigenvalues_of_the_covariance_add_up_to():
  x = sampled_pairs(0.3, 0.5, 200_000, N_PAIRS).reshape(2 * N_PAIRS, -1)
  left = np.sort(np.linalg.eigvalsh(np.cov(x)))[: 2 * N_PAIRS - M].sum()
  assert theory.linear_loss(0.3, 0.5, N_PAIRS, M) == pytest.approx(left, rel=0.01)


def test_one_of_each_pair_is_eight_digons_and_eight_means():
  p = 0.05
  # A digon errs by the smaller value if both are active: p²/3 for two features.
  rough = 8 * theory.variance(p) + 4 * p**2 / 3
  assert theory.one_of_each_loss(p) == pytest.approx(rough, rel=0.01)


def test_chance_and_cosines_within_pairs():
  v = np.random.default_rng(0).standard_normal((2, 50_000, M))
  v /= np.linalg.norm(v, axis=-1, keepdims=True)
  assert theory.chance(M) == pytest.approx(np.abs((v[0] * v[1]).sum(axis=-1)).mean(), abs=0.005)
  W = np.array([[1.0, -2, 1, 0, 1, 0], [0, 0, 0, 1, 0, 0.05]])
  assert within(W) == pytest.approx(0.5)  # 1, 0, and a feature without a direction
  assert np.isnan(within(np.zeros((2, 4))))


def made(cosines=(0.34, 0.7, 0.97), dense: float = 0.98, restarts: int = 10) -> xr.Dataset:
  """Returns the analysis of pairs with given cosines at p = .05 by ρ, and at p = .2."""
  axes = {"density": [0.05, 0.2], "correlation": [0.0, 0.5, 1.0], "restart": range(restarts)}
  W = np.zeros((2, 3, restarts, M, 2 * N_PAIRS))
  for i, j in np.ndindex(2, 3):
    c = cosines[j] if i == 0 else dense
    W[i, j, :, 0, ::2], W[i, j, :, 0, 1::2], W[i, j, :, 1, 1::2] = 1, c, (1 - c**2) ** 0.5
  loss = np.array(
    [[theory.merged_loss(p, r) for r in axes["correlation"]] for p in axes["density"]]
  )
  dataset = datasets.dataset(
    axes=axes,
    config={
      "data.distribution": "shared_coin",
      "data.set_size": 2,
      "axis.density.field": "density.base",
      "axis.correlation.field": "data.correlation",
    },
    loss=0.3 * loss[..., None],
    measured=(),
    W=W,
  )
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)][:6]


def test_pairs_that_merge_confirm_all():
  dataset = made()
  assert verdicts(dataset)[2:] == [CONFIRMED] * 4
  assert figure.draw(dataset).axes


def test_each_statement_can_be_contradicted_and_few_restarts_decide_nothing():
  found = verdicts(made(cosines=(0.5, 0.4, 0.6), dense=0.5))
  assert found[2:5] == [CONTRADICTED] * 3
  worse = made()
  worse["loss"] = 10 * worse["loss"]
  assert verdicts(worse)[5] == CONTRADICTED
  assert verdicts(made(restarts=3)) == [UNDECIDED] * 6


def test_without_correlation_a_number_of_eight_pairs_is_as_uncertain_as_they_differ():
  dataset = made()  # of features on two directions: |cosine| of .34 and 1
  assert verdicts(dataset)[0] == UNDECIDED
  alike = dataset.copy()
  alike["between_deviation"] = 0 * alike["between_deviation"] + 0.01
  assert verdicts(alike)[0] == CONFIRMED
  apart = alike.copy()
  apart["within"] = 0 * apart["within"] + 0.5
  assert verdicts(apart)[0] == CONTRADICTED


def test_directions_are_further_apart_than_random_ones_if_an_interval_says_so():
  dataset = made()
  spread = xr.DataArray(np.linspace(-0.01, 0.01, 10), dims=["restart"])
  for mean, expected in ((0.3, CONFIRMED), (0.5, CONTRADICTED), (theory.chance(M), UNDECIDED)):
    dataset["between"] = 0 * dataset["between"] + mean + spread
    assert verdicts(dataset)[1] == expected


def test_a_step_whose_interval_has_zero_inside_leaves_the_rise_undecided():
  dataset = made()
  spread = xr.DataArray(np.linspace(-0.1, 0.1, 10), dims=["restart"])
  rising = xr.DataArray([0.3, 0.6, 0.9], dims=["correlation"])
  level = xr.DataArray([0.3, 0.31, 0.9], dims=["correlation"])
  falling = xr.DataArray([0.3, 0.6, 0.3], dims=["correlation"])
  for mean, expected in ((rising, CONFIRMED), (level, UNDECIDED), (falling, CONTRADICTED)):
    dataset["within"] = dataset["between"] = 0 * dataset["within"] + mean + spread
    assert verdicts(dataset)[3] == expected


def test_cosines_of_all_pairs_by_hand():
  W = np.array([[1.0, -2, 0, 0.05], [0, 0, 3, 0]])
  mean, deviation = between_all(W)
  assert mean == pytest.approx(1 / 3) and deviation == pytest.approx(3**-0.5)
  assert np.isnan(between_all(np.zeros((2, 4)))[0])


@pytest.mark.parametrize(
  ("field", "value"),
  [("data.set_size", 4), ("data.value_law", "one"), ("model.n_hidden", 3)],
)
def test_models_that_the_claims_are_not_about_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)
