"""Almost orthogonal directions and the bound of compressed sensing."""

import numpy as np
import pytest
import xarray as xr

from configs import compressed_sensing as settings
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.compressed_sensing import claims as analysis
from toy_superposition.experiments.compressed_sensing import figure
from toy_superposition.experiments.compressed_sensing import theory as packing
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED

M = 4


def test_coherence_is_the_largest_cosine_whatever_the_lengths_and_signs():
  assert packing.coherence(np.array([[2.0, 0, -1], [0, 3, -1]])) == pytest.approx(0.5**0.5)
  assert packing.coherence(np.eye(3)) == 0


@pytest.mark.parametrize(
  ("n", "d", "least"), [(3, 2, 1 / 2), (6, 3, 5**-0.5), (16, 10, 0.2), (4, 3, 1 / 3)]
)
def test_known_equiangular_lines_reach_welch_s_bound(n, d, least):
  assert packing.welch(n, d) == pytest.approx(least)
  assert packing.welch(d, d) == 0


@pytest.mark.parametrize(("n", "d"), [(3, 2), (4, 3), (6, 3)])
def test_the_search_finds_the_best_lines_where_they_are_known(n, d):
  W = packing.spread_out(n, d)
  np.testing.assert_allclose(np.linalg.norm(W, axis=0), 1)
  assert packing.coherence(W) == pytest.approx(packing.welch(n, d), abs=2e-3)


def test_no_directions_are_below_welch_s_bound():
  rng = np.random.default_rng(0)
  for n, d in ((5, 3), (20, 4), (40, 3)):
    for _ in range(20):
      assert packing.coherence(rng.normal(size=(d, n))) >= packing.welch(n, d)
    assert packing.coherence(packing.spread_out(n, d)) >= packing.welch(n, d)


def test_three_lines_fit_a_plane_at_sixty_degrees_and_six_in_space():
  assert packing.most_within(0.5, 2) == 3
  assert packing.most_within(0.5, 3) == 6


def test_the_sensing_bound_is_least_at_one_in_e_and_none_where_nothing_is_sparse():
  np.testing.assert_allclose(packing.sensing_bound(np.array([1 / np.e])), np.e)
  assert np.isinf(packing.sensing_bound(np.array([0.0, 1.0]))).all()


def made(factor: float, num: int = 9) -> xr.Dataset:
  """Returns models whose F is the bound, times the published product and a factor."""
  p = np.geomspace(0.5, 0.1, num)
  published = np.interp(
    np.log(1 / p), np.log(list(analysis.PUBLISHED)), list(analysis.PUBLISHED.values())
  )
  F = factor * published * packing.sensing_bound(p)
  W = np.sqrt(F * M / (M * 20))[:, None, None] * np.ones((num, M, 20))
  dataset = xr.Dataset({"W": (("density", "hidden", "feature"), W)}, {"density": p})
  return analysis.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


@pytest.fixture(scope="module", autouse=True)
def small_searches():
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(analysis, "COUNTS", (6, 8, 12))
    patch.setattr(analysis, "GROWTH", (2, 3))
    yield


def verdicts(dataset):
  return [row.verdict for row in analysis.claims(dataset)][:4]


def test_the_published_curve_confirms_all():
  dataset = made(1.0)
  assert verdicts(dataset) == [CONFIRMED] * 4
  assert figure.draw(dataset).axes


def test_other_numbers_contradict_and_few_densities_decide_nothing():
  assert verdicts(made(0.6))[:2] == [CONTRADICTED] * 2
  assert verdicts(made(1.0, num=3))[:2] == [UNDECIDED] * 2
  dataset = made(1.0)
  lower = dataset.assign(coherence_found=0.9 * dataset["coherence_welch"])
  assert verdicts(lower)[2] == CONTRADICTED
  assert verdicts(dataset.assign(most_found=0 * dataset["most_found"] + 1))[3] == CONTRADICTED


def test_features_of_unequal_importance_are_refused():
  changed = settings.get_config("quick")
  changed.importance.profile = "geometric"
  with pytest.raises(UserError, match=r"importance\.profile"):
    config.resolve(changed)
