"""Dropout and bases: closed forms by enumeration, and verdicts on models that are known."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from configs import dropout_basis as settings
from toy_superposition import fields, perturbations
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments.dropout_basis import EXPERIMENT, descent, figure, theory
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED

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


@pytest.mark.parametrize("make", [descent.dropout_loss, descent.noise_loss])
def test_losses_without_sampling_are_those_of_samples_and_their_gradients_those_of_differences(
  make,
):
  n, m, q = 5, 3, 0.3
  which = descent.examples(n, 0.1)
  assert which.weight.sum() == pytest.approx(stats.binom.cdf(4, n, 0.1))
  assert (which.weight * which.x[0]).sum() == pytest.approx(0.1 / 2, rel=0.01)
  rng = np.random.default_rng(0)
  W, b = 0.6 * rng.normal(size=(m, n)), 0.1 * rng.normal(size=n)
  loss = make(which, m, q)
  value, dW, db = loss(W, b)
  k = rng.choice(len(which.weight), 100_000, p=which.weight / which.weight.sum())
  x = which.x[:, k]
  h = W @ x
  if make is descent.dropout_loss:
    noisy = h * (rng.uniform(size=h.shape) >= q) / (1 - q)
  else:
    deviation = (q / (1 - q) * (h**2).mean(axis=0)) ** 0.5
    noisy = h + deviation * rng.normal(size=h.shape)
  sampled = ((x - np.maximum(W.T @ noisy + b[:, None], 0)) ** 2).sum(axis=0)
  error = sampled.std() / len(k) ** 0.5
  assert abs(sampled.mean() - value / which.weight.sum()) < 4 * error
  for gradient, arrays in ((dW[1, 2], (W, (1, 2))), (db[3], (b, (3,)))):
    array, at = arrays
    values = []
    for step in (1e-6, -1e-6):
      array[at] += step
      values.append(loss(W, b)[0])
      array[at] -= step
    assert gradient == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-4)


def test_normal_noise_privileges_no_basis_and_dropout_does():
  rng = np.random.default_rng(0)
  W, b = 0.6 * rng.normal(size=(4, 5)), 0.1 * rng.normal(size=5)
  rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
  which = descent.examples(5, 0.05)
  noise, dropout = descent.noise_loss(which, 4, 0.3), descent.dropout_loss(which, 4, 0.3)
  assert noise(rotation @ W, b)[0] == pytest.approx(noise(W, b)[0], rel=1e-12)
  assert abs(dropout(rotation @ W, b)[0] / dropout(W, b)[0] - 1) > 1e-3


def test_a_feature_alone_is_spread_exactly_at_the_minimum():
  q, p = 0.3, 0.05
  found = descent.minimum(descent.dropout_loss(descent.examples(1, p), 4, q), 4, 1)
  assert theory.fourth_moment(found.W) == pytest.approx(0.25, abs=1e-4)
  assert found.loss <= theory.bound(1, 4, p, q) * (1 + 1e-9)  # its bias may help
  assert found.loss > 0.8 * theory.bound(1, 4, p, q)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_training_noise_has_dropouts_variance_in_the_directions_that_it_says(share):
  h, q = jnp.tile(jnp.array([[1.0], [0.0], [-2.0]]), 100_000), 0.3
  u = jnp.asarray(np.random.default_rng(0).uniform(size=(4, h.shape[1])), jnp.float32)
  dropped = perturbations.Dropout(q).of(h, u[:3])
  row = perturbations.IsotropicNoise(share)
  noisy = np.asarray(row.of(h, dropped, u[:3], u[3:], q), float)
  each = q / (1 - q) * (np.full(3, 5 / 3) if share else np.array([1.0, 0, 4]))
  np.testing.assert_allclose(noisy.mean(axis=1), h[:, 0], atol=0.02)
  np.testing.assert_allclose(noisy.var(axis=1), each, rtol=0.02, atol=1e-12)
  assert np.isfinite(jax.grad(lambda h: row.of(h, h, u[:3], u[3:], q).sum())(0 * h)).all()


def made(
  restarts: int = 10,
  moments: np.ndarray = MOMENTS,
  falls: tuple[float, ...] = (3.0, 2.6, 2.0, 1.6),
  grows: tuple[float, ...] = (2.0, 2.1, 2.2, 2.1),
  share: float = 0.5,
  excess: float = 0.0,
  control: float = 0.5,
) -> xr.Dataset:
  """Returns the analysis of models with these fourth moments (of 4, of 8, and of more features),
  features per dimension (of 10 and of 8), loss as a share of the aligned code's, excess over the
  lowest loss, and fourth moment with normal noise."""
  shape = (2, len(NUMBERS), len(DROPOUT), restarts)
  spread = np.linspace(-1e-3, 1e-3, restarts)
  own = np.stack([moments[[0, 1, 2, 2]], np.full((4, 4), control)])
  number = np.array([[1.0] * 4, grows, falls, falls])
  aligned = [[theory.aligned_loss(n, 0.05, float(q)) for q in DROPOUT] for n in NUMBERS]
  loss = share * np.broadcast_to(aligned, (2, 4, 4))
  dims = ("noise", "n", "dropout", "restart")
  counts = np.array(NUMBERS)[:, None]
  return xr.Dataset(
    {
      "finite": (dims, np.ones(shape)),
      "fourth_moment": (dims, own[..., None] + spread),
      "per_dimension": (dims, np.broadcast_to(number[..., None], shape) + spread),
      "n_represented": (dims, np.broadcast_to(counts[..., None], shape)),
      "noisy_loss": (dims, np.broadcast_to(loss[..., None] * (1 + excess), shape) + 0.0),
      "minimum_fourth_moment": (dims[:3], own),
      "descent_moments": (
        (*dims[:3], "descent"),
        np.broadcast_to(own[..., None], (*shape[:3], 12)) + np.linspace(-0.02, 0.02, 12),
      ),
      "minimum_per_dimension": (dims[:3], np.broadcast_to(number, shape[:3]) + 0.0),
      "minimum_n_represented": (dims[:3], np.broadcast_to(counts, shape[:3])),
      "minimum_loss": (dims[:3], np.where(loss > 0, loss, 1e-9)),
    },
    {
      "noise": ["dropout", "normal"],
      "noise_model_isotropic_noise": ("noise", [0.0, 1.0]),
      "n": NUMBERS,
      "dropout": DROPOUT,
      "restart": range(restarts),
    },
    {"config": json.dumps(fields.defaults() | {"model.n_hidden": 4, "density.base": 0.05})},
  )


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)]


def contradicted(dataset: xr.Dataset) -> tuple[int, ...]:
  return tuple(k for k, verdict in enumerate(verdicts(dataset)) if verdict == CONTRADICTED)


def test_what_was_verified_confirms_all():
  assert set(verdicts(made())) == {CONFIRMED} and len(verdicts(made())) == 17
  assert len(figure.draw(made()).axes) == 4


def test_other_models_contradict_what_they_are_about():
  aligned = np.where(MOMENTS < 0.3, 1.0, MOMENTS)
  assert contradicted(made(moments=aligned)) == (1, 2, 11, 12)
  assert contradicted(made(moments=0 * MOMENTS + 0.25)) == (0, 3, 4, 13, 14)
  assert contradicted(made(falls=(3.0, 2.6, 2.7, 1.6))) == (5,)
  assert contradicted(made(grows=(2.0, 1.9, 1.8, 1.5))) == (6,)
  assert contradicted(made(share=1.1)) == (7,)
  assert contradicted(made(control=0.45)) == (8, 9)
  assert contradicted(made(excess=0.02)) == (15, 16)


def test_statements_about_the_optimum_look_at_the_lowest_loss_alone():
  dataset = made()
  for name in ("fourth_moment", "per_dimension"):
    dataset[name] = 0 * dataset[name] + 0.5
  assert not {1, 2, 3, 4, 5, 6} & {*contradicted(dataset)}


def test_few_restarts_decide_nothing():
  assert set(verdicts(made(restarts=2))) == {UNDECIDED}


def test_a_control_whose_interval_is_wide_is_not_decided():
  dataset = made()
  noise = 0.2 * np.random.default_rng(0).normal(size=dataset.sizes["restart"])
  dataset["fourth_moment"] = dataset["fourth_moment"] + xr.DataArray(
    noise - noise.mean(), dims=["restart"]
  )
  assert verdicts(dataset)[8:10] == [CONFIRMED, UNDECIDED]


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.n_hidden", 12),
    ("density.base", 0.0),
    ("density.base", 0.5),
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
