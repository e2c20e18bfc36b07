"""Dropout and bases: closed forms by enumeration, and verdicts on models that are known."""

import json

import numpy as np
import pytest
import xarray as xr

from configs import dropout_basis as settings
from toy_superposition import fields
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments.dropout_basis import EXPERIMENT, figure, theory
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, REPORTED, UNDECIDED

NUMBERS, DROPOUT = [4, 8, 10, 12], np.array([0.0, 0.1, 0.3, 0.5])
MOMENTS = np.array([[0.5, 0.26, 0.26, 0.26], [0.5, 0.26, 0.26, 0.26], [0.5, 0.6, 0.6, 0.6]])
HADAMARD = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2


@pytest.mark.parametrize("q", [0.1, 0.5])
def test_masks_keep_the_mean_and_have_the_extra_loss_of_a_linear_code(q):
  kept, weights = theory.masks(3, q)
  assert weights.sum() == pytest.approx(1)
  np.testing.assert_allclose(weights @ kept, 1)
  rng = np.random.default_rng(0)
  W, x = rng.normal(size=(3, 5)), rng.normal(size=(5, 40))
  h = W @ x
  loss = sum(
    w * ((x - W.T @ (h * mask[:, None])) ** 2).sum(axis=0).mean()
    for mask, w in zip(kept, weights, strict=True)
  )
  extra = q / (1 - q) * ((h**2).mean(axis=1) * (W**2).sum(axis=1)).sum()
  assert loss == pytest.approx(((x - W.T @ h) ** 2).sum(axis=0).mean() + extra)


def test_closed_forms_are_the_least_losses_of_scaled_codes():
  q, p = 0.3, 0.05
  kept, weights = theory.masks(4, q)
  for W, expected in (
    (np.eye(4)[:, :1], theory.aligned_loss(1, p, q)),
    (HADAMARD[:, :1], theory.bound(1, 4, p, q)),
  ):
    gains = kept @ (W[:, 0] ** 2)  # of a feature with its output, under each mask
    losses = [p / 3 * (weights @ (1 - s * gains) ** 2) for s in np.linspace(0, 1.2, 1201)]
    assert min(losses) == pytest.approx(expected, rel=1e-5)


def test_fourth_moments_of_known_columns():
  assert theory.fourth_moment(2 * np.eye(4)) == pytest.approx(1)
  assert theory.fourth_moment(HADAMARD) == pytest.approx(0.25)
  assert theory.fourth_moment(np.diag([1.0, 1.0, 0.1, 0.0])) == pytest.approx(1)
  assert np.isnan(theory.fourth_moment(np.zeros((4, 3))))
  random = np.random.default_rng(0).normal(size=(4, 20_000))
  assert theory.fourth_moment(random) == pytest.approx(theory.random_moment(4), abs=0.01)


def made(
  restarts: int = 10,
  moments: np.ndarray = MOMENTS,
  falls: tuple[float, ...] = (3.0, 2.6, 2.0, 1.6),
  grows: tuple[float, ...] = (2.0, 2.1, 2.2, 2.1),
  share: float = 0.5,
) -> xr.Dataset:
  """Returns the analysis of models with these fourth moments (of 4, of 8, and of more features),
  features per dimension (of 10 and of 8), and loss as a share of the aligned code's."""
  shape = (len(NUMBERS), len(DROPOUT), restarts)
  spread = np.linspace(-1e-3, 1e-3, restarts)
  own = moments[[0, 1, 2, 2]]
  number = np.array([[1.0] * 4, grows, falls, falls])
  aligned = [[theory.aligned_loss(n, 0.05, float(q)) for q in DROPOUT] for n in NUMBERS]
  dims = ("n", "dropout", "restart")
  return xr.Dataset(
    {
      "finite": (dims, np.ones(shape)),
      "fourth_moment": (dims, own[..., None] + spread),
      "per_dimension": (dims, number[..., None] + spread),
      "n_represented": (dims, np.broadcast_to(np.array(NUMBERS)[:, None, None], shape)),
      "dropout_loss": (dims, share * np.array(aligned)[..., None] + 0 * spread),
    },
    {"n": NUMBERS, "dropout": DROPOUT, "restart": range(restarts)},
    {"config": json.dumps(fields.defaults() | {"model.n_hidden": 4, "density.base": 0.05})},
  )


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)]


def contradicted(dataset: xr.Dataset) -> tuple[int, ...]:
  return tuple(k for k, verdict in enumerate(verdicts(dataset)) if verdict == CONTRADICTED)


def test_what_was_verified_confirms_all():
  assert verdicts(made()) == [*[CONFIRMED] * 8, REPORTED]
  assert len(figure.draw(made()).axes) == 3


def test_other_models_contradict_what_they_are_about():
  aligned = np.where(MOMENTS < 0.3, 1.0, MOMENTS)
  assert contradicted(made(moments=aligned)) == (1, 2)
  assert contradicted(made(moments=0 * MOMENTS + 0.25)) == (0, 3, 4)
  assert contradicted(made(falls=(3.0, 2.6, 2.7, 1.6))) == (5,)
  assert contradicted(made(grows=(2.0, 1.9, 1.8, 1.5))) == (6,)
  assert contradicted(made(share=1.1)) == (7,)


def test_statements_about_the_optimum_look_at_the_best_restart_alone():
  dataset = made()
  dataset["fourth_moment"][:, :, 1:] = 1.0
  dataset["per_dimension"][:, :, 1:] = 0.0
  assert contradicted(dataset) == (0,)
  dataset["dropout_loss"][:, :, 1] = 0.0  # another one is the best
  assert len(contradicted(dataset)) > 4


def test_few_restarts_decide_nothing():
  assert set(verdicts(made(restarts=2))) == {UNDECIDED, REPORTED}


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.n_hidden", 12),
    ("density.base", 0.0),
    ("data.distribution", "one_hot"),
    ("data.noise", 0.1),
    ("loss.hidden_l1", 0.1),
  ],
)
def test_another_problem_is_refused_by_name(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)
