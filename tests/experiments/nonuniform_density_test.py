"""Pentagon against two digons: closed forms, classification, and claims on known solutions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import nonuniform_density
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  REPORTED,
  UNDECIDED,
  VERDICTS,
)
from toy_superposition.experiments.nonuniform_density import (
  EXPERIMENT,
  analysis,
  figure,
  theory,
)
from toy_superposition.experiments.nonuniform_density.claims import around
from toy_superposition.geometry.components import polygon
from toy_superposition.models import AutoencoderParams
from toy_superposition.theory import expected_loss

RATIO = np.geomspace(0.1, 10, 41)
DIGONS = np.array([[0.0, 1, -1, 0, 0], [0, 0, 0, 1, -1]])
PENTAGON = 1.13 * polygon(5)


def test_the_digons_closed_form_is_their_expected_loss():
  p, ratio = 0.2, 2.0
  density = jnp.full(5, p).at[0].multiply(ratio)
  params = AutoencoderParams(W=jnp.asarray(DIGONS), b=jnp.zeros(5).at[0].set(density[0] / 2))
  loss = jax.jit(expected_loss.expected_feature_loss)(params, density, jnp.ones(5)).sum()
  closed = theory.two_digons_loss(np.array([p]), np.array([p * ratio]))
  assert closed == pytest.approx(float(loss), rel=1e-4)


def test_a_crossing_lies_where_the_difference_vanishes():
  difference = np.where(RATIO < 0.15, np.nan, np.log(RATIO / 0.27))
  at, k = theory.crossing(RATIO, difference)
  assert at == pytest.approx(0.27)
  assert RATIO[k] < 0.27 < RATIO[k + 1]
  assert np.isnan(theory.crossing(RATIO, np.ones(41))[0])


def test_arrangements_are_distinguished_by_geometry_whatever_the_order_of_features():
  turn = np.array([[0.6, -0.8], [0.8, 0.6]])
  assert analysis.arrangement(turn @ PENTAGON[:, [2, 0, 4, 1, 3]]) == analysis.PENTAGON
  assert analysis.arrangement(turn @ DIGONS[:, [0, 3, 1, 2, 4]]) == analysis.DIGONS
  for other in (
    DIGONS[:, [1, 0, 2, 3, 4]],  # another feature is absent
    DIGONS + 0.4 * np.eye(2, 5),  # a weak fifth one, a bent pair
    PENTAGON * np.array([0.3, 1, 1, 1, 1]),
    np.zeros((2, 5)),
  ):
    assert analysis.arrangement(other) == analysis.OTHER


def test_angles_beside_feature_0_are_found_on_both_sides():
  turn = np.radians([350.0, 60, 130, 200, 290])
  assert around(np.array([np.cos(turn), np.sin(turn)])) == pytest.approx((60, 70))


def dataset_of(W: np.ndarray, ratio: np.ndarray, n_restarts: int = 10, **variables) -> xr.Dataset:
  """Returns results of one model per ρ, the same in all restarts."""
  config = {
    "density.profile": "first_apart",
    "density.base": 0.05,
    f"axis.{analysis.AXIS}.field": "density.ratio",
  }
  return datasets.dataset(
    axes={analysis.AXIS: ratio, "restart": range(n_restarts)},
    config=config,
    measured=(),
    W=W[:, None],
    **variables,
  )


def solution(crossing: float, stretch: float) -> xr.Dataset:
  """Returns what `run` returns if the losses are equal at ρ = `crossing` and the pentagon's
  neighbours of feature 0 move away by `stretch` radians per unit of log ρ."""
  pentagon, digons = 0.005 + 0.002 * RATIO / crossing, 0.002 + 0.005 * RATIO / crossing
  kind = np.where(digons < pentagon, analysis.DIGONS, analysis.PENTAGON)
  turn = 2 * np.pi * np.arange(5) / 5 * np.ones((41, 1))
  turn[:, [1, 4]] += stretch * np.log(RATIO)[:, None] * np.array([1, -1])
  bent = 1.13 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
  W = np.where((kind == analysis.DIGONS)[:, None, None], DIGONS, bent)
  dataset = dataset_of(W, RATIO, b=np.full(5, -0.244), loss=np.minimum(pentagon, digons)[:, None])
  baseline = analysis.BASELINES
  curvature = np.tile([0.0, 0.01] + [0.1] * 13, (41, 2, 1))
  return dataset.assign(
    branch_gradient=((analysis.AXIS, "branch"), np.full((41, 2), 1e-5)),
    branch_curvature=((analysis.AXIS, "branch", "direction"), curvature),
    arrangement=(dataset["loss"].dims, np.repeat(kind[:, None], 10, axis=1)),
    pentagon_loss=(analysis.AXIS, pentagon),
    digons_loss=(analysis.AXIS, digons),
    digons_closed_form=(analysis.AXIS, digons),
    pentagon_loss_at_paper=("baseline", baseline),
    digons_loss_at_paper=("baseline", 0.18 - baseline),
  ).assign_coords(baseline=baseline, branch=["pentagon", "two digons"])


def test_run_names_every_fit_and_drops_the_loss_of_a_branch_that_left_its_arrangement(monkeypatch):
  def followed(density):
    """Stands for the descents, which take long to compile; the pentagon is lost where ρ < 1/5."""
    W = jnp.broadcast_to(jnp.stack([PENTAGON, DIGONS]), (len(density), 2, 2, 5))
    W = jnp.where(density[:, :1, None, None] < 0.01, jnp.asarray(DIGONS), W)
    return AutoencoderParams(W=W, b=jnp.zeros((*W.shape[:2], 5))), jnp.ones(W.shape[:2])

  monkeypatch.setattr(theory, "followed", followed)
  monkeypatch.setattr(
    theory,
    "stationarity",
    lambda params, density: (jnp.zeros((len(density), 2)), jnp.zeros((len(density), 2, 15))),
  )
  fits = dataset_of(np.stack([DIGONS, PENTAGON]), np.array([0.15, 1.0]), n_restarts=1)
  result = EXPERIMENT.run(fits, meshes.make_mesh(setup.devices(1)), 2**30)
  assert result["arrangement"].values.ravel().tolist() == [analysis.DIGONS, analysis.PENTAGON]
  np.testing.assert_array_equal(result["pentagon_loss"], [np.nan, 1])
  np.testing.assert_array_equal(result["digons_loss"], [1, 1])
  assert np.isfinite(result["pentagon_loss_at_paper"]).all()


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)]


def test_claims_follow_the_solution():
  measured = verdicts(solution(0.27, 0.05))
  assert set(measured) <= set(VERDICTS)
  # All but the paper's crossing and the paper's formula for the norm.
  assert measured.count(CONTRADICTED) == 2
  assert measured.count(CONFIRMED) == 10
  assert verdicts(solution(0.4, 0.05))[2:4] == [CONTRADICTED, CONFIRMED]
  assert verdicts(solution(0.27, -0.05))[-3:-1] == [CONTRADICTED, CONTRADICTED]


@pytest.mark.parametrize(
  "changes",
  [
    {"branch_gradient": 1e-3},
    {"branch_curvature": -0.01},  # no minimum
    {"branch_curvature": 1e-4},  # a second direction in which nothing changes
    {"pentagon_loss": np.nan},  # the descent has left it
  ],
)
def test_a_branch_that_is_no_minimum_contradicts_that_both_are(changes):
  dataset = solution(0.27, 0.05)
  ((name, value),) = changes.items()
  values = dataset[name].copy(deep=True)
  index = {analysis.AXIS: int(RATIO.searchsorted(0.5))}
  if name != "pentagon_loss":
    index["branch"] = 1
  if name == "branch_curvature":
    index["direction"] = 1
  values[index] = value
  (row,) = [c for c in EXPERIMENT.claims(dataset.assign({name: values})) if "both" in c.statement]
  assert row.verdict == CONTRADICTED


def test_gradient_and_eigenvalues_are_those_of_a_quadratic(monkeypatch):
  curvature = jnp.arange(15.0)

  def quadratic(params, density, importance):
    flat = jnp.concatenate([params.W.ravel(), params.b])
    gradient = curvature * flat
    found = AutoencoderParams(W=gradient[:10].reshape(2, 5), b=gradient[10:])
    return 0.5 * jnp.sum(curvature * flat**2), found

  monkeypatch.setattr(expected_loss, "value_and_gradient", quadratic)
  at = AutoencoderParams(W=jnp.zeros((1, 2, 2, 5)), b=jnp.zeros((1, 2, 5)).at[0, 1, 4].set(0.5))
  gradient, eigenvalues = theory.stationarity(at, jnp.ones((1, 5)))
  np.testing.assert_allclose(gradient, [[0, 7]])
  np.testing.assert_allclose(eigenvalues[0, 0], curvature, atol=1e-3)


def test_few_points_and_restarts_decide_nothing_about_the_change():
  coarse = solution(0.27, 0.05).isel({analysis.AXIS: slice(None, None, 5), "restart": slice(3)})
  measured = verdicts(coarse)
  assert measured[:4] == [UNDECIDED] * 4


def test_another_density_of_the_other_features_decides_nothing_but_the_closed_form():
  dataset = solution(0.27, 0.05)
  dataset["feature_density"] = 2 * dataset["feature_density"]
  assert set(verdicts(dataset)[:-1]) - {UNDECIDED} == {REPORTED}


def test_figure_is_drawn_with_and_without_restarts():
  dataset = solution(0.27, 0.05)
  assert len(figure.draw(dataset).axes) == 3
  assert len(figure.draw(dataset.isel(restart=0, drop=True)).axes) == 3


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.n_features", 6),
    ("density.profile", "uniform"),
    ("importance.profile", "geometric"),
    ("loss.hidden_l1", 0.1),
  ],
)
def test_models_that_the_claims_are_not_about_are_refused(field, value):
  changed = nonuniform_density.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  changed.train.estimator, changed.train.optimizer = "auto", "adam"
  changed.evaluation.method = "sampled"
  with pytest.raises(UserError, match="nonuniform_density"):
    resolve(changed)
