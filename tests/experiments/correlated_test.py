"""Sets of features: how members lie, and claims on known arrangements."""

import json

import numpy as np
import pytest
import xarray as xr

from configs import anticorrelated_pairs, correlated_hexagon, correlated_pairs
from toy_superposition.config import resolve as config
from toy_superposition.errors import UserError
from toy_superposition.experiments.correlated import claims as analysis
from toy_superposition.experiments.correlated import figure
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, REPORTED, UNDECIDED
from toy_superposition.geometry import sets


def plane(*degrees: float, norm: float = 1.0) -> np.ndarray:
  turn = np.radians(degrees)
  return norm * np.array([np.cos(turn), np.sin(turn)])


ORTHOGONAL, OPPOSITE = plane(10, 100, 190, 280), plane(10, 190, 100, 280)
HEXAGON = plane(0, 64, 120, 184, 240, 304, norm=0.97)


def test_cosines_within_and_across_sets():
  np.testing.assert_allclose(sets.within(ORTHOGONAL, 2), [0, 0], atol=1e-12)
  np.testing.assert_allclose(sets.across(ORTHOGONAL, 2).min(axis=1), -1)
  np.testing.assert_allclose(sets.within(OPPOSITE, 2), [-1, -1])
  np.testing.assert_allclose(sets.within(HEXAGON, 3)[:3], np.cos(np.radians([64, 120, 56])))
  assert sets.across(HEXAGON, 2).shape == (6, 4)


def test_sets_are_adjacent_if_no_other_feature_comes_between():
  assert sets.adjacent(HEXAGON, 2)
  assert sets.adjacent(plane(350, 10, 100, 140, 200, 230), 2)  # around 0°
  assert not sets.adjacent(HEXAGON[:, [0, 2, 1, 3, 4, 5]], 2)


def test_a_pair_has_collapsed_if_both_members_are_one_direction_and_present():
  W = np.concatenate([plane(0, 5), plane(0, 90), plane(50, 50, norm=0.01)], axis=1)
  np.testing.assert_array_equal(sets.collapsed(W), [True, False, False])


def made(W: np.ndarray, distribution: str, p: float, loss: float, n_restarts=16) -> xr.Dataset:
  """Returns results of which the first restart is best."""
  losses = loss * np.arange(1, n_restarts + 1)
  values = {"data.distribution": distribution, "data.set_size": 2}
  return xr.Dataset(
    {
      "W": (("restart", "hidden", "feature"), np.repeat(W[None], n_restarts, axis=0)),
      "loss": ("restart", losses),
      "finite": ("restart", np.ones(n_restarts)),
      "feature_density": (("restart", "feature"), np.full((n_restarts, W.shape[1]), p)),
    },
    {"restart": np.arange(n_restarts)},
    {"config": json.dumps(values)},
  )


CASES = [
  (ORTHOGONAL, OPPOSITE, "correlated_sets", 0.05, 2 * 0.05**2 / 3),
  (OPPOSITE, ORTHOGONAL, "anticorrelated_sets", 0.05, 1e-9),
  (HEXAGON, HEXAGON[:, [0, 2, 1, 3, 4, 5]], "correlated_sets", 0.02, 0.003),
]


@pytest.mark.parametrize(("right", "wrong", "distribution", "p", "loss"), CASES)
def test_claims_follow_the_arrangement(right, wrong, distribution, p, loss):
  def verdicts(W, n_restarts=16, loss=loss):
    rows = analysis.claims(made(W, distribution, p, loss, n_restarts))
    return {row.verdict for row in rows} - {REPORTED}

  assert verdicts(right) == {CONFIRMED}
  assert CONTRADICTED in verdicts(wrong)
  assert verdicts(wrong, n_restarts=4) == {UNDECIDED}
  if distribution == "anticorrelated_sets" or wrong.shape[1] == 4:
    assert CONTRADICTED in verdicts(right, loss=0.01)
  assert figure.draw(made(right, distribution, p, loss)).axes


def test_a_hexagon_of_independent_features_contradicts_the_paper_if_it_is_found():
  hexagon, pentagon = plane(*range(0, 360, 60)), plane(0, 72, 144, 216, 288, 1)

  def verdicts(*models, n_restarts=24):
    dataset = made(hexagon, "sparse_uniform", 0.05, 0.02, n_restarts)
    W = np.stack([models[k % len(models)] for k in range(n_restarts)])
    return [row.verdict for row in analysis.claims(dataset.assign(W=dataset["W"].copy(data=W)))]

  assert analysis.regular_hexagon(hexagon) and not analysis.regular_hexagon(HEXAGON * 0.5)
  assert verdicts(hexagon, pentagon) == [CONTRADICTED, CONFIRMED, REPORTED]
  assert verdicts(pentagon, hexagon) == [CONTRADICTED, CONTRADICTED, REPORTED]
  assert verdicts(pentagon)[0] == CONFIRMED
  assert verdicts(pentagon, n_restarts=8)[:2] == [UNDECIDED] * 2


@pytest.mark.parametrize(
  ("field", "value"), [("model.n_features", 8), ("model.n_hidden", 3), ("data.set_size", 4)]
)
@pytest.mark.parametrize("module", [correlated_pairs, anticorrelated_pairs, correlated_hexagon])
def test_other_sets_are_refused(module, field, value):
  changed = module.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError):
    config.resolve(changed)
