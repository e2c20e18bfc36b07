"""The AND of all pairs: bounds by enumeration, the construction by hand, and verdicts."""

import json

import numpy as np
import pytest
import xarray as xr

from configs import pairwise_and as settings
from toy_superposition import fields
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  IDENTITY,
  REPORTED,
  UNDECIDED,
)
from toy_superposition.experiments.pairwise_and import EXPERIMENT, figure, theory
from toy_superposition.experiments.pairwise_and.analysis import OTHERS, READ_OUTS, SHARES

N, NEURONS, DENSITIES = 10, [5, 10, 20, 45], [0.1, 0.3]


def enumerated(n: int, p: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns all inputs, their ANDs and their probabilities."""
  x = np.array([[k >> bit & 1 for k in range(2**n)] for bit in range(n)], float)
  y = np.array([x[i] * x[j] for i in range(n) for j in range(i + 1, n)])
  return x, y, np.prod(np.where(x > 0, p, 1 - p), axis=0)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_losses_that_are_known_are_those_of_all_inputs(p):
  n = 6
  x, y, weights = enumerated(n, p)
  variance = y**2 @ weights - (y @ weights) ** 2
  assert theory.constant_loss(n, p) == pytest.approx(variance.sum())
  assert theory.scores(theory.fitted(x, y, weights), x, weights)[0] == pytest.approx(
    theory.linear_loss(n, p)
  )
  eigenvalues = np.sort(np.linalg.eigvalsh(np.cov(y, aweights=weights, bias=True)))[::-1]
  for d in (0, 1, 4, 6, 10, 15):
    assert theory.lowest_loss(n, d, p) == pytest.approx(eigenvalues[d:].sum(), abs=1e-12)


def test_two_neurons_that_read_three_inputs_by_hand():
  R = np.array([[True, True, False], [True, True, True]])
  x = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1], [0, 0, 0]], float).T
  np.testing.assert_array_equal(theory.hidden(R, x), [[1, 1, 0, 0], [1, 2, 1, 0]])
  output = theory.averages(R) @ theory.hidden(R, x)  # of pairs 01, 02, 12
  np.testing.assert_array_equal(output, [[1, 1.5, 0.5, 0], [1, 2, 1, 0], [1, 2, 1, 0]])
  found = theory.scores(output, x, np.array([0.5, 0.25, 0.125, 0.125]))
  assert found[0] == pytest.approx(0.5 * 2 + 0.25 * 2.25 + 0.125 * 1.25)
  # Both are active of 01 in the first input, of all in the second, of 12 in the third.
  both = (0.5 * 1 + 0.25 * (1.5 + 2 + 2) + 0.125 * 1) / 1.375
  one = (0.5 * (1 + 1) + 0.125 * (0.5 + 1)) / 1.25
  np.testing.assert_allclose(found[1:4], [both, one, 0])
  np.testing.assert_allclose(found[4], (0.25 * 2.25 / 1.375) ** 0.5)


def test_a_neuron_for_every_pair_computes_all_of_them():
  x, y, _ = enumerated(4, 0.3)
  R = np.array([[k in (i, j) for k in range(4)] for i in range(4) for j in range(i + 1, 4)])
  np.testing.assert_array_equal(theory.averages(R) @ theory.hidden(R, x), y)
  assert theory.lowest_loss(4, 6, 0.3) == 0


def test_read_outs_of_the_construction_are_those_of_a_binomial_count():
  q, others, expected = 0.3, 4, np.zeros(3)
  for bits in range(2**others):
    K = bits.bit_count()
    chance = q**K * (1 - q) ** (others - K)
    expected += chance * np.array([K + 1, K, max(K - 1, 0)])
  np.testing.assert_allclose(theory.read_out(q, others), expected)
  found, missing = theory.sampled_read_out(np.random.default_rng(0), 60, 400, q, others, 2000)
  np.testing.assert_allclose(found, expected, atol=0.05)
  assert missing == 0


def test_densities_of_known_rows():
  rows = np.array([[1, -1, 1, -1], [2, 0, 0, 2], [0, 0, 3, 0], [0, 0, 0, 0]], float)
  np.testing.assert_allclose(theory.spread_over(rows), [1, 0.5, 0.25, 0])
  normal = np.random.default_rng(0).normal(size=(20_000, 10))
  mean = (1 / (10 * theory.spread_over(normal))).mean()  # E Σ û⁴
  assert 1 / (10 * mean) == pytest.approx(theory.normal_density(10), rel=0.01)


def made(
  restarts: int = 8,
  trained: float = 0.7,
  construction: float = 0.9,
  density: tuple[float, float] = (0.9, 0.8),
  none: float | None = None,
) -> xr.Dataset:
  """Returns an analysis of layers half-way between the bound and a share of the best map's loss,
  with the given densities of weights."""
  shape = (len(NEURONS), len(DENSITIES), restarts)
  spread = np.linspace(-1e-3, 1e-3, restarts)
  linear = np.array([theory.linear_loss(N, p) for p in DENSITIES])
  bound = np.array([[theory.lowest_loss(N, d, p) for p in DENSITIES] for d in NEURONS])
  part = np.where(np.array(NEURONS) < N, 1.4, 1.0)[:, None]
  dims = ("neurons", "density", "restart")

  def loss(share: float) -> np.ndarray:
    high = share * linear * part
    return (bound + np.maximum(high - bound, 0.05 * share * linear))[..., None] * (1 + spread)

  losses = np.stack([3 * loss(construction), loss(construction)], axis=-1)
  value = np.array([theory.read_out(0.1 / r, r) for r in OTHERS])
  if none is not None:
    value[:, 2] = none
  over = (len(NEURONS), restarts, len(OTHERS))
  return xr.Dataset(
    {
      "finite": (dims, np.ones(shape)),
      "trained_loss": (dims, loss(trained)),
      "trained_error": ((*dims, "case"), np.full((*shape, 3), 0.1) + spread[:, None]),
      "made_loss": (
        (*dims, "share", "read_out"),
        losses[..., None, :] * np.linspace(1, 1.5, len(SHARES))[:, None],
      ),
      "made_error": (
        (*dims, "share", "read_out", "case"),
        np.full((*shape, len(SHARES), 2, 3), 0.2),
      ),
      "read_in_density": (dims, density[0] + 0 * loss(1.0) + spread),
      "read_out_density": (dims, density[1] + 0 * loss(1.0) + spread),
      "circuit": (("neurons", "density", "row", "read"), np.ones((*shape[:2], 45, N))),
      "bound": (dims[:2], bound),
      "linear": (dims[:2], np.broadcast_to(linear, shape[:2])),
      "published_value": (
        ("neurons", "restart", "others", "case"),
        np.broadcast_to(value, (*over, 3)) + 1e-4 * spread[:, None, None],
      ),
      "published_missing": (("neurons", "restart", "others"), np.zeros(over)),
    },
    {
      "neurons": NEURONS,
      "density": DENSITIES,
      "restart": range(restarts),
      "case": list(theory.CASES),
      "share": list(SHARES),
      "read_out": list(READ_OUTS),
      "others": list(OTHERS),
    },
    {"config": json.dumps(fields.defaults() | {"model.n_features": N, "train.steps": 3000})},
  )


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)]


def contradicted(dataset: xr.Dataset) -> tuple[int, ...]:
  return tuple(k for k, verdict in enumerate(verdicts(dataset)) if verdict == CONTRADICTED)


def test_a_dense_circuit_below_the_construction_confirms_all():
  expected = [*[IDENTITY] * 2, REPORTED, IDENTITY, *[CONFIRMED] * 4, *[REPORTED] * 2]
  assert verdicts(made()) == expected
  assert len(figure.draw(made()).axes) == 7  # with the colour bar


def test_other_layers_contradict_what_they_are_about():
  assert contradicted(made(trained=1.2, construction=1.3)) == (4,)
  assert contradicted(made(construction=0.6)) == (5,)
  assert contradicted(made(density=(0.5, 0.8))) == (6,)
  assert contradicted(made(density=(0.9, 0.3))) == (7,)
  assert contradicted(made(none=0.02)) == (0,)
  below = made()
  below["trained_loss"][1, 0, 3] = 0.0
  assert contradicted(below) == (3,)


def test_few_restarts_decide_nothing_about_training():
  assert set(verdicts(made(restarts=2))) == {UNDECIDED, REPORTED, IDENTITY}


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.n_features", 20),
    ("model.n_features", 3),
    ("density.base", 1.0),
    ("data.target", "identity"),
    ("loss.name", "absolute"),
    ("model.output_bias", False),
  ],
)
def test_another_problem_is_refused_by_name(field, value):
  changed = settings.get_config("quick")
  if field == "density.base":
    changed.axis.density.points = (0.1, value)
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.({field}|model\.name)"):
    resolve(changed)
