"""Pentagon against two digons: closed forms, classification, and claims on known solutions."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import nonuniform_density
from toy_superposition.config import resolve as config
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED, VERDICTS
from toy_superposition.experiments.nonuniform_density import claims as analysis
from toy_superposition.experiments.nonuniform_density import figure, theory
from toy_superposition.geometry.components import polygon
from toy_superposition.models import TiedParams
from toy_superposition.theory import expected_loss

RATIO = np.geomspace(0.1, 10, 41)
DIGONS = np.array([[0.0, 1, -1, 0, 0], [0, 0, 0, 1, -1]])
PENTAGON = 1.13 * polygon(5)


def test_the_digons_closed_form_is_their_expected_loss():
  p, ratio = 0.2, 2.0
  density = jnp.full(5, p).at[0].multiply(ratio)
  params = TiedParams(W=jnp.asarray(DIGONS), b=jnp.zeros(5).at[0].set(density[0] / 2))
  loss = expected_loss.expected_feature_loss(params, density, jnp.ones(5)).sum()
  closed = theory.two_digons_loss(np.array([p]), np.array([p * ratio]))
  assert closed == pytest.approx(float(loss), rel=1e-4)


def test_a_crossing_lies_where_the_difference_vanishes():
  known = np.where(RATIO < 0.15, np.nan, np.log(RATIO / 0.27))
  at, k = theory.crossing(RATIO, known)
  assert at == pytest.approx(0.27)
  assert RATIO[k] < 0.27 < RATIO[k + 1]
  assert np.isnan(theory.crossing(RATIO, np.ones(41))[0])


def test_arrangements_are_told_apart_by_geometry_whatever_the_order_of_features():
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
  assert analysis.around(np.array([np.cos(turn), np.sin(turn)])) == pytest.approx((60, 70))


def made(crossing: float, stretch: float) -> xr.Dataset:
  """Returns what `run` returns if the branches cross there and the pentagon gives way so much."""
  pentagon, digons = 0.005 + 0.002 * RATIO / crossing, 0.002 + 0.005 * RATIO / crossing
  kind = np.where(digons < pentagon, analysis.DIGONS, analysis.PENTAGON)
  turn = 2 * np.pi * np.arange(5) / 5 * np.ones((41, 1))
  turn[:, [1, 4]] += stretch * np.log(RATIO)[:, None] * np.array([1, -1])
  bent = 1.13 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
  W = np.where((kind == analysis.DIGONS)[:, None, None], DIGONS, bent)
  density = np.full((41, 5), 0.05)
  density[:, 0] *= RATIO
  baseline = analysis.BASELINES
  each = (analysis.AXIS, "restart")
  twice = {"axis": 1, "repeats": 10}
  return xr.Dataset(
    {
      "W": ((*each, "hidden", "feature"), np.repeat(W[:, None], **twice)),
      "b": ((*each, "feature"), np.full((41, 10, 5), -0.244)),
      "loss": (each, np.repeat(np.minimum(pentagon, digons)[:, None], **twice)),
      "finite": (each, np.ones((41, 10), np.int8)),
      "arrangement": (each, np.repeat(kind[:, None], **twice)),
      "feature_density": ((*each, "feature"), np.repeat(density[:, None], **twice)),
      "pentagon_loss": (analysis.AXIS, pentagon),
      "digons_loss": (analysis.AXIS, digons),
      "digons_closed_form": (analysis.AXIS, digons),
      "pentagon_loss_at_paper": ("baseline", baseline),
      "digons_loss_at_paper": ("baseline", 0.18 - baseline),
    },
    {analysis.AXIS: RATIO, "baseline": baseline},
  )


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [claim.verdict for claim in analysis.claims(dataset)]


def test_claims_follow_the_solution():
  found = verdicts(made(0.27, 0.05))
  assert set(found) <= set(VERDICTS)
  # All but the paper's crossing and the paper's formula for the norm.
  assert found.count(CONTRADICTED) == 2
  assert found.count(CONFIRMED) == 9
  assert verdicts(made(0.4, 0.05))[2:4] == [CONTRADICTED, CONFIRMED]
  assert verdicts(made(0.27, -0.05))[-3:-1] == [CONTRADICTED, CONTRADICTED]
  coarse = made(0.27, 0.05).isel({analysis.AXIS: slice(None, None, 5), "restart": slice(3)})
  assert CONTRADICTED not in verdicts(coarse)[:4]
  assert UNDECIDED in verdicts(coarse)


def test_figure_is_drawn_with_and_without_restarts():
  dataset = made(0.27, 0.05)
  assert len(figure.draw(dataset).axes) == 3
  assert len(figure.draw(dataset.isel(restart=0, drop=True)).axes) == 3


@pytest.mark.parametrize(
  ("field", "value"),
  [("model.n_features", 6), ("density.profile", "uniform"), ("importance.profile", "geometric")],
)
def test_what_it_is_not_about_is_refused(field, value):
  changed = nonuniform_density.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match="nonuniform_density"):
    config.resolve(changed)
