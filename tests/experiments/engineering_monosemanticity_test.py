"""Responses and counts by hand, known losses, and verdicts on models that are known."""

import json

import numpy as np
import pytest
import xarray as xr

from configs import engineering_monosemanticity as settings
from toy_superposition import fields
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments.engineering_monosemanticity import EXPERIMENT, figure, theory
from toy_superposition.experiments.engineering_monosemanticity.analysis import COUNTS
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  REPORTED,
  UNDECIDED,
)

N, M, DENSITY = 64, 16, 1 / 32
NEURONS, BIASES = [32, 64, 128], [0.0, -1.0]


def test_a_threshold_makes_a_neuron_monosemantic_that_its_weights_are_not():
  P = np.array([[1, 0, 0.6], [0, 1, 0.8]])
  W = np.array([[1.0, 0], [0, 1], [1, 1], [-1, -1]])
  b = np.array([-0.7, 0.0, 0.0, 0.0])
  A = theory.responses(W, b, P)
  expected = np.array([[0.3, 0, 0], [0, 1, 0.8], [1, 1, 1.4], [0, 0, 0]])
  np.testing.assert_allclose(A, expected)
  np.testing.assert_array_equal(theory.counts(A), [3, 1, 1, 1])
  barely = theory.responses(W[:1], np.array([-0.59]), P)  # 0.41 and 0.01: by squares alone
  np.testing.assert_array_equal(theory.counts(barely), [1, 1, 0, 1])


def test_chance_keeps_the_norms():
  W = np.random.default_rng(0).normal(size=(5, 4))
  drawn = theory.by_chance(np.random.default_rng(1), W)
  np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), np.linalg.norm(W, axis=1))
  assert np.abs(drawn - W).min() > 1e-6


def test_the_affine_loss_is_that_of_a_projection():
  rng = np.random.default_rng(0)
  P = rng.normal(size=(3, 7))
  P /= np.linalg.norm(P, axis=0)
  x = np.where(rng.random((7, 200_000)) < 0.3, rng.random((7, 200_000)), 0)
  x -= x.mean(axis=1, keepdims=True)
  D = np.linalg.lstsq((P @ x).T, x.T, rcond=None)[0]
  loss = ((x - D.T @ P @ x) ** 2).sum(axis=0).mean()
  assert loss == pytest.approx(theory.affine_loss(7, 3, 0.3), rel=0.02)


def test_detectors_decode_orthogonal_features_exactly_and_others_better_than_affine_maps():
  rng = np.random.default_rng(0)
  exact = theory.detectors_loss(rng, np.eye(4), 0.2, (0.0,), 400)
  assert exact == pytest.approx(0, abs=1e-12)
  P = rng.normal(size=(16, 32))
  P /= np.linalg.norm(P, axis=0)
  loss = theory.detectors_loss(rng, P, 1 / 32, (0.2,), 3000)
  assert loss < theory.affine_loss(32, 16, 1 / 32)


def made(
  seeds: int = 5,
  share: tuple[float, float] = (0.0, 0.4),
  chance: float = 0.05,
  ratio: float = 0.9,
  own_bias: float = -0.3,
  loss: float = 0.3,
  grows: bool = True,
) -> xr.Dataset:
  """Returns an analysis with these shares of monosemantic neurons from both biases, and the loss
  from the negative one over that from 0, which is a share of the best affine map's."""
  spread = np.linspace(-1e-3, 1e-3, seeds)
  dims = ("neurons", "bias", "embedding")
  shape = (len(NEURONS), len(BIASES), seeds)
  k = np.array(NEURONS, float)[:, None, None]
  active = np.broadcast_to(k, shape)

  def numbers(shares: tuple[float, float]) -> np.ndarray:
    mono = active * (np.array(shares)[:, None] + np.abs(spread))
    features = mono if grows else mono / k * 32
    return np.stack([active, mono, mono, np.minimum(features, N)], axis=-1)

  assert COUNTS == ("active", "monosemantic", "strict", "features")
  affine = theory.affine_loss(N, M, DENSITY)
  total = loss * affine * np.array([1, ratio])[:, None] * (1 + spread)
  bias = np.stack([own_bias + spread, -0.1 + spread], axis=-1)
  return xr.Dataset(
    {
      "finite": (dims, np.ones(shape)),
      "loss_sum": (dims, np.broadcast_to(total, shape)),
      "counts": ((*dims, "count"), numbers(share)),
      "chance": ((*dims, "count"), numbers((chance, chance))),
      "trained_bias": ((*dims, "kind"), np.broadcast_to(bias, (*shape, 2))),
      "histogram": ((*dims, "purity"), np.ones((*shape, 20))),
      "affine": ("neurons", np.full(len(NEURONS), affine)),
      "detectors": (("neurons", "embedding"), np.full((len(NEURONS), seeds), 0.5 * affine)),
    },
    {
      "neurons": NEURONS,
      "bias": BIASES,
      "embedding": range(seeds),
      "count": list(COUNTS),
      "kind": ["monosemantic", "others"],
      "purity": np.linspace(0.025, 0.975, 20),
    },
    {
      "config": json.dumps(
        fields.defaults()
        | {"model.n_features": N, "data.n_dimensions": M, "density.base": DENSITY}
        | {"train.steps": 3000}
      )
    },
  )


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)]


def contradicted(dataset: xr.Dataset) -> tuple[int, ...]:
  return tuple(k for k, verdict in enumerate(verdicts(dataset)) if verdict == CONTRADICTED)


def test_monosemantic_layers_at_the_same_loss_confirm_all():
  assert verdicts(made()) == [*[CONFIRMED] * 7, REPORTED]
  assert len(figure.draw(made()).axes) == 4


def test_other_layers_contradict_what_they_are_about():
  assert contradicted(made(share=(0.5, 0.4))) == (0,)
  assert contradicted(made(chance=0.6)) == (1,)
  assert contradicted(made(ratio=1.1)) == (2,)
  assert contradicted(made(grows=False)) == (3,)
  assert contradicted(made(own_bias=0.1)) == (4,)
  assert contradicted(made(own_bias=-0.05)) == (4,)
  assert contradicted(made(loss=0.7)) == (6,)
  assert contradicted(made(loss=1.2)) == (5, 6)


def test_few_embeddings_decide_nothing():
  assert set(verdicts(made(seeds=2))) == {UNDECIDED, REPORTED}


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("data.n_dimensions", 16),
    ("density.base", 0.0),
    ("model.output_bias", True),
    ("train.optimizer", "adam"),
    ("data.distribution", "one_hot"),
    ("data.noise", 0.1),
  ],
)
def test_another_problem_is_refused_by_name(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)
