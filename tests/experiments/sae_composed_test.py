"""Pairs of features: closed forms against costs by hand, verdicts on known codes."""

import json

import numpy as np
import pytest
import xarray as xr

from configs import sae_composed as settings
from toy_superposition import fields
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.experiments.sae_composed import EXPERIMENT, figure, theory
from toy_superposition.experiments.sae_composed.analysis import pairs, with_latent

ACTIVE, PENALTIES, SIZE = np.array([1.0, 0.5]), np.array([0.05, 0.3]), 3


def least_cost(decoder: np.ndarray, s: np.ndarray, penalty: float) -> float:
  """Returns min over z ≥ 0 of ‖s − D z‖² + λ Σ z, by projected descent."""
  z = np.zeros(decoder.shape[1])
  gram, fit = decoder.T @ decoder, decoder.T @ s
  for _ in range(5000):
    z = np.maximum(z - 0.1 * (2 * (gram @ z - fit) + penalty), 0)
  return float(np.sum((s - decoder @ z) ** 2) + penalty * z.sum())


@pytest.mark.parametrize("penalty", [0.05, 0.3, 1.0])
def test_the_costs_are_the_least_ones_of_their_dictionaries(penalty):
  A = np.eye(6)
  both, one = A[:, 0] + A[:, 3], A[:, 0]
  complete = np.hstack([A, pairs(A) / 2**0.5])
  for q in (1.0, 0.5, 0.1):
    found = {
      name: q**2 * least_cost(D, both, penalty) + 2 * q * (1 - q) * least_cost(D, one, penalty)
      for name, D in (("bound", complete), ("of_features", A))
    }
    assert theory.bound(q, penalty) == pytest.approx(found["bound"], abs=1e-5)
    assert theory.of_features(q, penalty) == pytest.approx(found["of_features"], abs=1e-5)
  rng = np.random.default_rng(0)
  D = rng.normal(size=(6, 15))
  D /= np.linalg.norm(D, axis=0)
  assert least_cost(D[:, :6], both, penalty) >= theory.bound(1.0, penalty)


def test_latents_are_counted_for_features_and_for_pairs():
  A = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
  assert pairs(A).shape == (6, 9)
  np.testing.assert_allclose(pairs(A)[:, 5], A[:, 1] + A[:, 5])
  assert (with_latent(A, A), with_latent(A, pairs(A))) == (6, 0)  # a cosine of .71
  assert (with_latent(pairs(A), A), with_latent(pairs(A), pairs(A))) == (0, 9)


def made(found=(9.0, 9.0), features=(0.0, 6.0), excess=0.01, seeds: int = 10, steps: int = 5000):
  shape = (2, 2, seeds)
  dims = ("density", "sparsity", "seed")
  q, penalty = ACTIVE[:, None, None], PENALTIES[None, :, None]
  bound = np.broadcast_to(theory.bound(q, penalty), shape)
  alone = np.broadcast_to(theory.of_features(q, penalty), shape)
  numbers = {
    "pairs_found": np.broadcast_to(np.array(found)[:, None, None], shape),
    "features_found": np.broadcast_to(np.array(features)[:, None, None], shape),
    "objective": bound + excess * (alone - bound),
    "objective_bound": bound,
    "objective_features": alone,
    "finite": np.ones(shape),
  }
  config = fields.defaults() | {"train.steps": steps, "data.set_size": SIZE}
  dataset = xr.Dataset(
    {name: (dims, values) for name, values in numbers.items()},
    {"density": ACTIVE / SIZE, "sparsity": PENALTIES, "seed": range(seeds)},
    {"config": json.dumps(config)},
  )
  return dataset.assign(W=(("latent", "feature"), np.zeros((15, 6))))


def verdicts(dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)]


def test_latents_for_all_pairs_confirm_all():
  assert verdicts(made()) == [CONFIRMED] * 6
  assert figure.draw(made()).axes


def test_each_claim_can_be_contradicted_and_few_seeds_or_steps_decide_nothing():
  assert verdicts(made(found=(8, 9)))[0] == CONTRADICTED
  assert verdicts(made(features=(1, 6)))[1] == CONTRADICTED
  assert verdicts(made(features=(0, 5)))[3] == CONTRADICTED
  assert verdicts(made(found=(9, 3)))[4] == CONTRADICTED
  found = verdicts(made(excess=0.5))
  assert (found[2], found[5]) == (CONTRADICTED, CONTRADICTED)
  assert set(verdicts(made(seeds=2))) == set(verdicts(made(steps=10))) == {UNDECIDED}


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.n_hidden", 14),
    ("model.n_features", 9),
    ("model.decoder_bias", True),
    ("data.value_law", "uniform"),
  ],
)
def test_what_the_closed_form_is_not_about_is_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)
