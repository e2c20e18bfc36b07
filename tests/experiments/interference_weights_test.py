"""Interference weights: ΔL against its definition, rankings by hand, verdicts on known weights."""

import json

import numpy as np
import pytest
import xarray as xr
from scipy import optimize

from configs import interference_weights as settings
from toy_superposition import fields
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  IDENTITY,
  REPORTED,
  UNDECIDED,
)
from toy_superposition.experiments.interference_weights import EXPERIMENT, figure, theory
from toy_superposition.experiments.interference_weights.analysis import agreement
from toy_superposition.objective import BlockCircuit
from toy_superposition.records import results
from toy_superposition.report import explorer, neurons

N = 6


def test_the_gain_of_a_weight_is_the_difference_of_two_losses(monkeypatch):
  monkeypatch.setattr(theory, "BATCH", 32)
  rng = np.random.default_rng(0)
  U, b = rng.normal(size=(N, N)).astype(np.float32), rng.normal(size=N).astype(np.float32)
  x = (rng.uniform(size=(64, N)) * (rng.uniform(size=(64, N)) < 0.5)).astype(np.float32)
  target = rng.uniform(size=(64, N)).astype(np.float32)

  def loss(U):
    return ((target - np.maximum(x @ U.T + b, 0)) ** 2).sum(axis=1)

  found = theory.moments(U, b, x, target)
  assert found.loss == pytest.approx(loss(U).mean(), rel=1e-5)
  for i, j in ((0, 0), (2, 5), (4, 1)):
    without = U.copy()
    without[i, j] = 0
    change = loss(without) - loss(U)
    assert found.gain[i, j] == pytest.approx(change.mean(), abs=1e-5)
    assert found.gain_error[i, j] == pytest.approx(change.std() / 8, rel=1e-3, abs=1e-6)
  y = np.maximum(x @ U.T + b, 0)
  np.testing.assert_allclose(found.fires_times_feature, (y > 0).T @ x / 64, atol=1e-6)
  np.testing.assert_allclose(found.output_times_feature, y.T @ x / 64, atol=1e-5)
  np.testing.assert_allclose(found.together, (y > 0).astype(float).T @ (x > 0) / 64, atol=1e-6)
  with pytest.raises(ValueError, match="at least 32"):
    theory.moments(U, b, x[:31], target[:31])


def test_outputs_that_never_fire_come_last_in_target_weighted_attribution():
  zero = np.zeros((2, 2))
  found = theory.Moments(zero, zero, zero + 1, zero + 0.5, zero, np.array([0.0, 0.01]), 0.0)
  weighted = theory.scores(np.array([[5.0, 5], [1, 1]]), found)["target-weighted"]
  np.testing.assert_allclose(weighted, [[0, 0], [50, 50]])


def test_precision_and_kept_gain_by_hand():
  score = np.array([[4.0, 3], [2, 1]])
  real = np.array([[True, False], [True, False]])
  np.testing.assert_allclose(theory.precision_at(score, real, np.array([0.5, 1])), [1, 2 / 3])
  assert theory.average_precision(score, real) == pytest.approx((1 + 2 / 3) / 2)
  gain = np.array([[2.0, -1], [2, 0]])
  np.testing.assert_allclose(theory.gain_of_kept(score, gain, np.array([0.25, 0.5])), [0.5, 0.25])
  assert np.isnan(theory.average_precision(score, ~real & real))


def test_two_definitions_of_interference_by_hand():
  U = np.array([[0.5, 0.1, -0.2], [0.0, 0.9, 0.3], [7.0, 7.0, 7.0]])
  real = np.array([[True, False, False], [False, True, True], [True] * 3])
  optimum = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.05, 0.0, 0.0]])
  rows = theory.ever_fires(optimum, 0.1)
  np.testing.assert_array_equal(rows, [True, True, False])
  found = theory.compare(U, real, optimum, rows)
  # Neither: (0, 0) and (1, 1); the first alone (0, 1); the second alone (1, 2); both: two.
  assert (found["both"], found["first"], found["second"]) == pytest.approx((1 / 3, 1 / 6, 1 / 6))
  assert found["kappa"] == pytest.approx((4 / 6 - 1 / 2) / (1 - 1 / 2))
  own, other = [0, 0.1, -0.2, 0, 0, 0], [-0.5, -0.9, -0.2, 0, -0.1, 0.3]
  assert found["correlation"] == pytest.approx(np.corrcoef(own, other)[0, 1])


def test_weights_tuned_without_a_bottleneck_become_the_circuits_where_outputs_fire():
  target = BlockCircuit(n_blocks=1, block_share=0.3)
  A = target.weights(6)
  often = A.sum(axis=1) > 0.5
  assert often.any() and theory.ever_fires(A, target.threshold)[often].all()
  rng = np.random.default_rng(0)
  x = rng.uniform(size=(4000, 6)) * (rng.uniform(size=(4000, 6)) < 0.5)
  t = np.maximum(x @ A.T - target.threshold, 0)
  for i in np.flatnonzero(often):  # a regression each; from a silent start none would get away

    def loss(w, i=i):
      z = x @ w[:-1] + w[-1]
      error = np.maximum(z, 0) - t[:, i]
      slope = 2 * error * (z > 0) / len(x)
      return (error**2).mean(), np.append(x.T @ slope, slope.sum())

    start = np.append(A[i] + 0.3 * rng.normal(size=6), -0.05)
    tuned = optimize.minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-9}).x
    np.testing.assert_allclose(tuned, [*A[i], -target.threshold], atol=1e-3)


def test_the_circuit_has_blocks_of_the_given_share_and_depends_on_its_number_alone():
  A = BlockCircuit(n_blocks=4, block_share=0.25).weights(160)
  block = np.arange(160) // 40
  inside = block[:, None] == block
  assert not A[~inside].any()
  share = (A[inside] > 0).mean()
  assert abs(share - 0.25) < 5 * (0.25 * 0.75 / inside.sum()) ** 0.5
  assert A.max() <= 1 and abs(A[A > 0].mean() - 0.5) < 0.05
  np.testing.assert_array_equal(A, BlockCircuit(n_blocks=4, block_share=0.25).weights(160))
  assert (BlockCircuit(circuit=1).weights(16) != BlockCircuit().weights(16)).any()


def test_agreement_compares_real_and_other_weights():
  rng = np.random.default_rng(0)
  U, real = rng.normal(size=(2, 40, 40)), np.zeros((2, 40, 40), bool)
  real[:, :5] = True
  U[1, :5] = U[0, :5]
  found = agreement(U, real)
  assert found["both"][0] == pytest.approx(1)
  assert abs(found["none"][0]) < 0.1 and np.isnan(found["none"][1])


def made(name: str, noise: float = 0.0, seeds: int = 5) -> xr.Dataset:
  """Returns the analysis of models of a set-up whose weights are the circuit's, with noise of
  their own elsewhere."""
  model, n, m, density, target, frozen, steps = settings.SETUPS[name]
  n, m = 16, 16
  rng = np.random.default_rng(1)
  config = fields.defaults() | {
    "model.name": model,
    "model.n_features": n,
    "model.n_hidden": m,
    "data.target": target,
    "model.frozen_encoder": frozen,
    "train.steps": steps,
    "evaluation.n_samples": 8192,
    "data.n_blocks": 2,
    "density.base": 0.3 if density > 0.1 else 0.1,
  }
  easy = target == "identity"
  A = np.eye(n) if easy else BlockCircuit(n_blocks=2).weights(n)
  weights = A + noise * rng.normal(size=(seeds, n, n)) * (A == 0)
  dims, feature = ("restart",), np.ones((seeds, n), np.float32)
  arrays = {
    "b": ((*dims, "feature"), np.full((seeds, n), 0.0 if easy else -0.1, np.float32)),
    "feature_density": ((*dims, "feature"), feature * config["density.base"]),
    "feature_importance": ((*dims, "feature"), feature),
    "peak_learning_rate": (dims, np.ones(seeds)),
    **{key: (dims, np.ones(seeds)) for key in ("loss", "finite")},
  }
  if easy:
    W = np.stack([np.linalg.cholesky(w.T @ w + 1e-9 * np.eye(n)).T for w in weights])
    arrays["W"] = ((*dims, "hidden", "feature"), W.astype(np.float32))
  else:
    eye = np.broadcast_to(np.eye(n, dtype=np.float32), (seeds, n, n))
    arrays["W1"] = ((*dims, "hidden", "feature"), eye)
    arrays["W2"] = ((*dims, "feature", "hidden"), weights.astype(np.float32))
  axis: dict[str, tuple] = {"restart": ("restart", np.arange(seeds), {"config_field": ""})}
  axis["setup"] = ((), name, {"config_field": ""})
  dataset = xr.Dataset(arrays, axis, {"config": json.dumps(config), "model": model})
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(*datasets: xr.Dataset) -> list[str]:
  gathered = results.gathered({str(d["setup"].item()): d for d in datasets})
  return [claim.verdict for claim in EXPERIMENT.decide(gathered)]


@pytest.fixture(scope="module")
def hard():
  return made("b: hard", noise=1e-3)


def test_a_diagonal_confirms_the_easy_case_and_the_figure_draws(hard):
  easy = made("a: easy")
  frozen = hard.assign_coords(setup="c: frozen")
  found = verdicts(easy, hard, frozen)
  assert found[:2] == [CONFIRMED] * 2
  assert found[-3:] == [REPORTED, IDENTITY, REPORTED]
  assert found[-6] == CONFIRMED  # (a): both definitions call the same weights interference
  gathered = results.gathered({"a": easy, "b": hard, "c": frozen})
  assert len(figure.draw(gathered).axes) == 18


def test_weights_outside_of_the_circuit_contradict_and_few_seeds_decide_nothing(hard):
  found = verdicts(hard)
  assert found[1] == CONFIRMED  # all on the circuit
  assert found[2] == CONTRADICTED  # nearly all are learned
  assert UNDECIDED not in found[:2]
  few = hard.isel(restart=slice(0, 2))
  assert set(verdicts(few)[:4]) == {UNDECIDED}
  assert not hard["n_outside"].any()


def test_a_linear_hidden_layer_has_no_panel_of_neurons_and_all_sizes_together_have_none():
  attributes = {"config": json.dumps({"train.steps": 5}), "model": "untied_relu"}
  dataset = xr.Dataset({"W1": (("hidden", "feature"), np.eye(2))}, attrs=attributes)
  assert not neurons.applies(dataset)
  assert neurons.applies(dataset.assign_attrs(model="relu_mlp"))
  assert neurons.applies(dataset.assign_attrs(model="absolute_value"))
  together = xr.Dataset(attrs={"config": "{}"})  # models and steps differ
  assert not neurons.applies(together) and not explorer.applies(together)


@pytest.mark.parametrize(
  ("field", "value"),
  [("loss.name", "absolute"), ("loss.reduction", "mean"), ("loss.hidden_l1", 0.1)],
)
def test_models_that_the_claims_are_not_about_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)
