"""Losses of a linear readout: closed forms against least squares, verdicts on known products."""

import json
from itertools import combinations

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import loss_exponent as settings
from toy_superposition import fields, objective
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
from toy_superposition.experiments.loss_exponent import EXPERIMENT, figure, theory
from toy_superposition.experiments.loss_exponent.analysis import embeddings, n_lines
from toy_superposition.records import results

LABELS = tuple(settings.LOSSES)
Q = np.array([q for _, q in settings.LOSSES.values()])


def inputs(T: int, z: int) -> np.ndarray:
  return np.array([[float(i in chosen) for i in range(T)] for chosen in combinations(range(T), z)])


def best_decoder(W1: np.ndarray, x: np.ndarray) -> np.ndarray:
  h = x @ W1.T
  return np.linalg.lstsq(h, x, rcond=None)[0].T


@pytest.mark.parametrize(("T", "D", "z"), [(3, 2, 1), (5, 2, 1), (6, 3, 1), (5, 2, 2), (6, 3, 3)])
def test_the_least_squared_error_is_that_of_the_best_decoder_of_the_best_encoder(T, D, z):
  x, rng = inputs(T, z), np.random.default_rng(0)
  least = theory.least_squared_error(T, D, z)
  losses = []
  for k in range(20):
    W1 = rng.normal(size=(D, T))
    if k < 10:
      W1[0] = 1
    losses.append(((x - x @ W1.T @ best_decoder(W1, x).T) ** 2).mean())
  np.testing.assert_allclose(losses[:10], least, rtol=1e-9)  # those that keep all ones
  if z == 1:
    np.testing.assert_allclose(losses, least, rtol=1e-9)
  else:
    assert min(losses[10:]) > least


def test_verified_values_and_the_case_in_which_the_bound_is_reached():
  four = [theory.least_squared_error(T, 2, 1) for T in (3, 4, 5, 6)]
  np.testing.assert_allclose(four, [1 / 9, 0.125, 0.12, 1 / 9])
  assert theory.least_squared_error(5, 2, 2) == pytest.approx(0.18)
  assert theory.frame_loss(theory.even_lines(3), 4.0) == pytest.approx(1 / 81)
  assert theory.frame_loss(theory.even_lines(4), 4.0) == pytest.approx(0.02166, abs=5e-6)
  for q in (2.0, 3.0, 4.0):
    bound = theory.lower_bound(3, 2, 1, q)
    assert bound == pytest.approx(3**-q)
    assert theory.frame_loss(theory.even_lines(3), q) == pytest.approx(bound)
    assert theory.frame_loss(theory.even_lines(5), q) >= theory.lower_bound(5, 2, 1, q) * 0.999999


def test_a_frame_s_loss_is_the_least_over_its_scale():
  gram, scale = theory.even_lines(5), np.linspace(0.1, 1, 2000)[:, None, None]
  losses = (np.abs(np.eye(5) - scale * gram) ** 3).mean(axis=(1, 2))
  assert theory.frame_loss(gram, 3.0) == pytest.approx(losses.min(), rel=1e-5)


def test_the_spread_of_leverages_is_that_of_random_planes():
  rng = np.random.default_rng(0)
  Q_, _ = np.linalg.qr(rng.normal(size=(4000, 5, 2)))
  assert (Q_**2).sum(axis=2).std() == pytest.approx(theory.random_leverage_std(5, 2), rel=0.02)


def test_lines_do_not_depend_on_the_hidden_basis():
  at = np.array([[1.0, 2, 0, 1], [0, 0, 1, 1]])  # the first two on one line
  rng = np.random.default_rng(0)
  W2 = rng.normal(size=(4, 2))
  for change in (np.eye(2), rng.normal(size=(2, 2))):
    M = (W2 @ np.linalg.inv(change)) @ (change @ at)
    assert n_lines(embeddings(M[None])).tolist() == [3]


def test_the_loss_with_exponent_two_is_the_squared_error():
  target, output = jnp.array([1.0, 0, 0.5]), jnp.array([0.25, 0.5, 0.5])
  power = objective.LOSSES["power"](q=2.0).of(target, output)
  np.testing.assert_allclose(power, objective.LOSSES["squared"](target, output), rtol=1e-6)


def made(T: int, even: bool = True, restarts: int = 10) -> xr.Dataset:
  """Returns the analysis of z = 1 and 2: rank-two products that are optimal for the squared error
  if z = 2 and `even`, and for L4 evenly spaced lines at the best scale."""
  shape = (2, len(LABELS), restarts)
  M = np.zeros((*shape, T, T))
  for k, q in enumerate(Q):
    gram = theory.even_lines(T)
    s = ((np.abs(gram) ** q).sum() - T) / T
    M[0, k] = gram / (1 + s ** (1 / (q - 1)))
    if not even:
      M[0, k] *= 0.9
    plane = np.linalg.qr(np.stack([np.ones(T), np.arange(T) // 2], axis=1))[0]
    M[1, k] = plane @ plane.T
  U, S, V = np.linalg.svd(M)
  loss = np.zeros(shape)
  for i, z in enumerate((1, 2)):
    x = inputs(T, z)
    for k, q in enumerate(Q):
      loss[i, k] = (np.abs(x - x @ M[i, k, 0].T) ** q).mean()
    log = x @ M[i, -1, 0].T
    log -= np.log(np.exp(log).sum(axis=1, keepdims=True))
    loss[i, -1] = -(x * log).mean()
  dims = ("active", "loss_name", "restart")
  return EXPERIMENT.run(
    xr.Dataset(
      {
        "W1": ((*dims, "hidden", "feature"), S[..., :2, None] * V[..., :2, :]),
        "W2": ((*dims, "feature", "hidden"), U[..., :2]),
        "loss": (dims, loss),
        "finite": (dims, np.ones(shape)),
      },
      {
        "n": T,
        "active": [1, 2],
        "loss_name": list(LABELS),
        "loss_name_loss_q": ("loss_name", Q),
        "restart": np.arange(restarts),
      },
      {"config": json.dumps(fields.defaults())},
    ),
    meshes.make_mesh(setup.devices(1)),
    2**30,
  )


def verdicts(*datasets: xr.Dataset) -> dict[str, str]:
  gathered = results.gathered({str(k): dataset for k, dataset in enumerate(datasets)})
  return {claim.statement: claim.verdict for claim in EXPERIMENT.decide(gathered)}


def test_optimal_products_confirm_closed_forms_and_the_figure_draws():
  datasets = made(3), made(4)
  found = verdicts(*datasets)
  rows = {name: found[name] for name in found if "squared error" in name}
  assert set(rows.values()) <= {CONFIRMED, REPORTED, IDENTITY}
  (triangle,) = (v for k, v in found.items() if k.startswith("z = 1, T = 3: the least"))
  (even,) = (v for k, v in found.items() if "evenly spaced lines are the best" in k)
  (uneven,) = (v for k, v in found.items() if "an uneven frame" in k)
  assert (triangle, even, uneven) == (CONFIRMED, CONFIRMED, CONTRADICTED)
  assert list(found.values())[-1] == IDENTITY
  gathered = results.gathered({"a": datasets[0], "b": datasets[1]})
  assert figure.draw(gathered).axes


def test_products_that_are_not_optimal_contradict_and_few_restarts_decide_nothing():
  found = verdicts(made(3, even=False))
  assert next(iter(found.values())) == CONTRADICTED
  few = verdicts(made(3, restarts=2))
  assert set(few.values()) == {UNDECIDED, REPORTED, IDENTITY}


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.name", "linear"),
    ("model.n_hidden", 3),
    ("model.output_bias", True),
    ("loss.reduction", "sum"),
    ("data.distribution", "one_hot"),
  ],
)
def test_models_that_the_theory_is_not_about_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=r"config\."):
    resolve(changed)
