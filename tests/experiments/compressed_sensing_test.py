"""Almost orthogonal directions, and features per dimension below and along the published curve."""

import numpy as np
import pytest
import xarray as xr

from configs import base
from configs import compressed_sensing as settings
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.compressed_sensing import EXPERIMENT, analysis, figure, theory
from toy_superposition.experiments.compressed_sensing.claims import PUBLISHED
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  IDENTITY,
  REPORTED,
  UNDECIDED,
)
from toy_superposition.theory import sensing

N, M = 20, 4


def test_coherence_is_the_largest_cosine_whatever_the_lengths_and_signs():
  assert theory.coherence(np.array([[2.0, 0, -1], [0, 3, -1]])) == pytest.approx(0.5**0.5)
  assert theory.coherence(np.eye(3)) == 0


@pytest.mark.parametrize(
  ("n", "d", "bound"), [(3, 2, 1 / 2), (6, 3, 5**-0.5), (16, 10, 0.2), (4, 3, 1 / 3)]
)
def test_known_equiangular_lines_reach_welch_s_bound(n, d, bound):
  assert theory.welch(n_vectors=n, n_dimensions=d) == pytest.approx(bound)
  assert theory.welch(n_vectors=d, n_dimensions=d) == 0


@pytest.mark.parametrize(("n", "d"), [(3, 2), (4, 3), (6, 3)])
def test_the_search_finds_the_best_lines_where_they_are_known(n, d):
  W = theory.spread_out(n_vectors=n, n_dimensions=d)
  np.testing.assert_allclose(np.linalg.norm(W, axis=0), 1)
  assert theory.coherence(W) == pytest.approx(theory.welch(n_vectors=n, n_dimensions=d), abs=2e-3)


def test_no_directions_are_below_welch_s_bound():
  rng = np.random.default_rng(0)
  for n, d in ((5, 3), (20, 4), (40, 3)):
    for _ in range(20):
      assert theory.coherence(rng.normal(size=(d, n))) >= theory.welch(n_vectors=n, n_dimensions=d)
    assert theory.coherence(theory.spread_out(n_vectors=n, n_dimensions=d)) >= theory.welch(
      n_vectors=n, n_dimensions=d
    )


def test_three_lines_fit_a_plane_at_sixty_degrees_and_six_in_space():
  assert theory.most_within(0.5, 2) == 3
  assert theory.most_within(0.5, 3) == 6


def test_the_sensing_bound_is_lowest_at_one_in_e_and_infinite_if_nothing_is_sparse():
  np.testing.assert_allclose(sensing.sensing_bound(np.array([1 / np.e])), np.e)
  assert np.isinf(sensing.sensing_bound(np.array([0.0, 1.0]))).all()


def made(factor: float, num: int = 9) -> xr.Dataset:
  """Returns the analysis of models whose F is the published one, times a factor."""
  p = np.geomspace(0.5, 0.1, num)
  published = np.interp(np.log(1 / p), np.log(list(PUBLISHED)), list(PUBLISHED.values()))
  F = factor * published * sensing.sensing_bound(p)
  W = np.sqrt(F / N)[:, None, None] * np.ones((num, M, N))
  dataset = datasets.dataset(W=W, axes={"density": p.tolist()}, measured=())
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


@pytest.fixture(scope="module", autouse=True)
def small_searches():
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(analysis, "COUNTS", (6, 8, 12))
    patch.setattr(analysis, "GROWTH", (2, 3))
    yield


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


def test_the_published_curve_and_the_searches_confirm_all():
  dataset = made(1.0)
  assert verdicts(dataset) == [CONFIRMED] * 3 + [IDENTITY, REPORTED]
  assert len(figure.draw(dataset).axes) == 3


def test_features_per_dimension_below_the_curve_contradict_and_few_densities_decide_nothing():
  assert verdicts(made(0.6))[:2] == [CONTRADICTED] * 2
  assert verdicts(made(1.0, num=3))[:2] == [UNDECIDED] * 2


def test_vectors_below_welch_s_bound_or_fewer_than_surely_fit_contradict():
  dataset = made(1.0)
  lower = dataset.assign(coherence_found=0.9 * dataset["coherence_welch"])
  assert verdicts(lower)[2] == CONTRADICTED
  assert verdicts(dataset.assign(coherence_found=dataset["coherence_random"]))[2] == CONTRADICTED
  assert verdicts(dataset.assign(most_found=0 * dataset["most_found"] + 1))[3] == CONTRADICTED


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("importance.profile", "geometric"),
    ("model.name", "linear"),
    ("model.n_features", 50),
    ("loss.hidden_l1", 0.3),
    ("axis.density", base.points("density.base", (1.0, 0.0))),
  ],
)
def test_features_that_are_few_or_not_alike_are_refused_by_name(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}.*'compressed_sensing'.*=none"):
    resolve(changed)


def test_more_dimensions_than_vectors_are_refused():
  changed = settings.get_config("quick")
  changed.model.n_features, changed.model.n_hidden = 1000, 100
  with pytest.raises(UserError, match=r"config\.model\.n_hidden: 100 .*'compressed_sensing'"):
    resolve(changed)
