"""Polygons of six features: the exact loss, its minima, and verdicts on known trainings."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import kgon_phases as settings
from toy_superposition import fields
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, IDENTITY, UNDECIDED
from toy_superposition.experiments.kgon_phases import EXPERIMENT, analysis, sampling, theory
from toy_superposition.experiments.kgon_phases.theory import NAMES, POLYGONS
from toy_superposition.theory import polygons

LOSSES = np.array([0.04819, 0.06180, 0.06874, 7 / 72, 7.5 / 72, 1 / 9, 1 / 6, 2 / 9, 5 / 18, 1 / 3])
COEFFICIENTS = np.array([8.5, 8.5, 7.0, 8.5, 8.0, 7.5, *[np.nan] * 4])
EXAMPLES = np.geomspace(20, 3000, 15)
ENDS = 12  # descents
loss, term = jax.jit(theory.loss), jax.jit(theory.term)


def test_a_term_is_the_integral_that_defines_it():
  g, b, t = np.meshgrid(np.linspace(-2, 2, 9), np.linspace(-1.5, 1.5, 7), [0.0, 1.0], indexing="ij")
  a = (np.arange(20_000) + 0.5) / 20_000
  output = np.maximum(g[..., None] * a + b[..., None], 0)
  expected = ((t[..., None] * a - output) ** 2).mean(axis=-1)
  np.testing.assert_allclose(term(*map(jnp.float32, (g, b, t))), expected, atol=2e-6)


def test_the_loss_is_that_of_the_model_on_its_examples():
  rng = np.random.default_rng(0)
  model = rng.normal(size=theory.N_NUMBERS).astype(np.float32)
  W, b = model[: theory.N_WEIGHTS].reshape(2, 6), model[theory.N_WEIGHTS :]
  a = (np.arange(2000) + 0.5) / 2000
  x = np.eye(6)[:, :, None] * a  # (feature, active, example)
  output = np.maximum(np.einsum("hf,hg,gke->fke", W, W, x) + b[:, None, None], 0)
  expected = ((x - output) ** 2).sum(axis=0).mean()
  assert float(loss(jnp.asarray(model))) == pytest.approx(expected, rel=1e-5)


def test_losses_of_squares_are_closed_forms():
  for level, expected in zip(POLYGONS[3:], LOSSES[3:6], strict=True):
    assert float(loss(jnp.asarray(theory.drawn(level)))) == pytest.approx(expected, rel=1e-6)


def test_losses_of_polygons_are_those_of_the_certificate():
  losses = dict(zip(POLYGONS, theory.minima()[1], strict=False))
  for level, found in losses.items():
    if level.replaced == 6 - level.corners:  # all others are replaced by their mean
      assert found == pytest.approx(polygons.level(level.corners, 6), abs=1e-5)


def test_free_energies_are_equal_at_the_leading_crossing():
  gap, difference = 0.02055, 1.5
  n = theory.leading_crossing(gap, difference)
  assert n * gap / (2 * theory.VARIANCE) == pytest.approx(difference * np.log(n))
  assert np.isnan(theory.leading_crossing(gap, 0.0))


@pytest.mark.slow
def test_minima_and_their_coefficients_by_two_ways():
  minima, losses = theory.minima()
  np.testing.assert_allclose(losses, LOSSES, atol=1e-5)
  np.testing.assert_array_equal(theory.learning_coefficients(), COEFFICIENTS[:6])
  starts = np.repeat(minima[:, None], 8, axis=1)
  sampled = sampling.local_coefficients(starts, analysis.BETA, analysis.WIDTH, 12_000)
  np.testing.assert_allclose(sampled.mean(axis=1), COEFFICIENTS[:6], atol=0.3)
  share = theory.hexagon_share(EXAMPLES / 2)
  assert 400 < analysis.crossing(EXAMPLES, share) < 600


def test_neighbours_exchange_their_models_by_metropolis_rule():
  beta, u = np.array([1.0, 2.0, 4.0], np.float32), np.full(3, 0.5, np.float32)
  # The hotter chain has the lower loss: always exchanged.
  better = np.array([0.1, 0.9, 0.2], np.float32)
  swapped = jax.jit(sampling.swapped)
  assert swapped(better, beta, 0, u).tolist() == [1, 0, 2]
  assert swapped(better, beta, 1, u).tolist() == [0, 1, 2]  # e^−1.4 < ½
  assert swapped(better, beta, 1, 0.1 * u).tolist() == [0, 2, 1]


def test_stages_are_runs_at_one_kind():
  kind = np.array([-1, 2, 2, 2, -1, 0, 0, 1, 1, 1, 1])
  assert analysis.stages(kind) == [(2, 1, 3), (1, 7, 10)]
  five, replaced = analysis.stages(kind)
  sampled = np.where(np.arange(11) < 5, 7.2, 8.3)
  assert analysis.is_clean(five, replaced, sampled, COEFFICIENTS, 0.5)
  assert not analysis.is_clean(five, replaced, sampled, COEFFICIENTS, 0.1)
  assert not analysis.is_clean(replaced, replaced, sampled, COEFFICIENTS, 0.5)


def test_a_crossing_is_interpolated_in_the_logarithm():
  assert analysis.crossing(np.array([1.0, 4, 16]), np.array([0.0, 0.25, 0.75])) == pytest.approx(8)
  assert np.isnan(analysis.crossing(np.array([1.0, 4]), np.array([0.6, 0.7])))


def made(
  restarts: int = 10,
  share: np.ndarray | None = None,
  ends: np.ndarray | None = None,
  end: float = LOSSES[1],
  shift: float = 0.0,
  step: bool = False,
) -> xr.Dataset:
  """Returns the analysis of trainings that end at one loss, a posterior with a share of hexagons
  among pentagons, descents, and sampled coefficients that are `shift` too high."""
  path = np.full((restarts, 11), end)
  path[:, :4] = LOSSES[2] if step else 0.3
  share = 1 / (1 + (500 / EXAMPLES) ** 4) if share is None else share
  occupancy = np.zeros((4, 15, len(NAMES)))
  occupancy[..., 0], occupancy[..., 2] = share, 1 - share
  ends = np.resize(LOSSES[:9], 400) if ends is None else ends
  models = np.stack([theory.drawn(level) for level in POLYGONS])
  return xr.Dataset(
    {
      "finite": ("restart", np.ones(restarts)),
      "loss": ("restart", path[:, -1]),
      "history_exact_loss": (("restart", "step"), path),
      "history_kind": (("restart", "step"), analysis.kinds(path, LOSSES, 0.02 * LOSSES)),
      "history_coefficient": (("restart", "step"), np.where(np.arange(11) < 4, 7, 8.5) + 0 * path),
      "descent_loss": ("descent", ends),
      "kind_loss": ("kind", LOSSES),
      "kind_coefficient": ("kind", COEFFICIENTS),
      "kind_model": (("kind", "number"), np.pad(models, ((0, 4), (0, 0)))),
      "sampled_coefficient": (
        ("kind", "chain"),
        COEFFICIENTS[:, None] + shift + 0.1 * np.array([-1, 1, -1, 1]),
      ),
      "occupancy": (("chain", "examples", "kind"), occupancy),
      "hexagon_share": ("examples", 1 / (1 + (500 / EXAMPLES) ** 4)),
    },
    {"kind": list(NAMES), "examples": EXAMPLES, "step": np.arange(11), "restart": range(restarts)},
    {"config": json.dumps(fields.defaults())},
  )


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)]


def contradicted(dataset: xr.Dataset) -> tuple[int, ...]:
  return tuple(k for k, verdict in enumerate(verdicts(dataset)) if verdict == CONTRADICTED)


def test_known_minima_confirm_all_but_the_leading_order_and_the_figure_draws():
  found = verdicts(made())
  assert found[6] == IDENTITY and found.count(CONFIRMED) == 16
  assert contradicted(made()) == (17,)
  assert EXPERIMENT.figure is not None
  assert len(EXPERIMENT.figure(made()).axes) == 5


def test_other_results_contradict_what_they_are_about():
  assert contradicted(made(ends=np.full(400, 0.03))) == (0, 1, 2, 3, 4, 5, 17)
  stray = np.append(np.resize(LOSSES[:9], 399), 0.06929)
  assert contradicted(made(ends=stray)) == (4, 17)
  assert contradicted(made(shift=0.4)) == (7, 8, 9, 10, 11, 12, 17)
  assert contradicted(made(end=0.055)) == (13, 17)
  assert contradicted(made(step=True)) == (15, 17)
  late = 1 / (1 + (1000 / EXAMPLES) ** 6)
  assert contradicted(made(share=late)) == (18,)
  assert contradicted(made(share=late[::-1])) == (16,)


def test_few_trainings_or_descents_decide_nothing():
  found = verdicts(made(restarts=3, ends=LOSSES[:ENDS]))
  assert set(found) == {UNDECIDED, IDENTITY, "reported"}


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.n_features", 5),
    ("data.value_law", "one"),
    ("data.distribution", "sparse_uniform"),
    ("history.num", 3),
    ("importance.base", 2.0),
  ],
)
def test_another_problem_is_refused_by_name(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}|data\.values"):
    resolve(changed)


def test_a_loss_is_differentiable_where_features_have_no_direction():
  model = jnp.asarray(theory.drawn(POLYGONS[-1]))
  assert np.isfinite(np.asarray(jax.jit(jax.grad(theory.loss))(model))).all()
