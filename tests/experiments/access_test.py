"""Access to random codes: exact laws by enumeration and known codes, and verdicts on counts."""

import itertools

import numpy as np
import pytest
import xarray as xr

from configs import access as settings
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.access import EXPERIMENT, analysis, figure, theory
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  IDENTITY,
  REPORTED,
  UNDECIDED,
)


def rng() -> np.random.Generator:
  return np.random.default_rng(0)


def test_the_formula_has_the_values_that_were_derived():
  found = [theory.normal_wrong(n=256, k=4, m=float(m)) for m in (64, 128, 256)]
  assert found == pytest.approx([5.8, 0.59, 0.008], rel=0.01)
  assert theory.quadratic(n=256, k=4) == pytest.approx(709.8, abs=0.1)


def test_sums_of_cosines_have_the_law_of_one_in_three_dimensions_and_of_draws():
  assert theory.tail(3, 1) == pytest.approx(1 / 4, abs=1e-3)  # uniform on [−1, 1] (Archimedes)
  assert theory.tail(3, 2) == pytest.approx(1.5**2 / 8, abs=1e-3)  # a triangle on [−2, 2]
  first = rng().normal(size=(100_000, 3, 12))
  cosine = first[..., 0] / np.linalg.norm(first, axis=-1)
  assert theory.tail(12, 3) == pytest.approx((cosine.sum(axis=1) > 0.5).mean(), abs=0.005)


def test_the_filter_s_errors_are_those_of_every_feature_by_itself():
  W = theory.code(rng().normal(size=(6, 12)), 6)
  chosen = theory.supports(rng(), n=12, k=3, n_examples=20)
  assert all(len(set(active)) == 3 for active in chosen.tolist())
  x = np.zeros((20, 12))
  np.put_along_axis(x, chosen, 1, axis=1)
  expected = ((x @ W.T @ W > 0.5) != (x > 0)).sum(axis=1)
  np.testing.assert_array_equal(theory.wrong(W.T @ W, chosen), expected)


@pytest.mark.parametrize("m", [4, 20, 60, 200])
def test_worst_supports_are_those_of_an_enumeration(m):
  cosines = (W := theory.code(rng().normal(size=(m, 8)), m)).T @ W
  chosen = np.array(list(itertools.combinations(range(8), 3)))
  none_wrong = not theory.wrong(cosines, chosen).any()
  assert theory.reads_all(theory.ranked(cosines)[1], 3) == none_wrong
  scores = [np.delete(cosines[:, list(active)].sum(axis=1), active).max() for active in chosen]
  worst = theory.worst_support(cosines, 3)
  outside = np.delete(cosines[:, worst].sum(axis=1), worst)
  assert outside.max() == pytest.approx(max(scores))


def test_orthogonal_features_are_read_at_every_support_and_duplicates_at_none():
  assert theory.reads_all(theory.ranked(np.eye(9))[1], 4)
  double = np.kron(np.eye(4), np.ones((2, 2)))
  assert not theory.reads_all(theory.ranked(double)[1], 2)


@pytest.mark.parametrize("k", [2, 3])
def test_no_code_reads_every_support_below_the_bound(k):
  """Directions of a cross-polytope's diagonals and of simplices, and random ones."""
  n = 24
  for m in range(2, n):
    W = theory.code(rng().normal(size=(m, n)), m)
    if theory.reads_all(theory.ranked(W.T @ W)[1], k):
      assert m >= theory.any_code(n=n, k=k)
  simplex = np.eye(n) - 1 / n  # n vectors in n − 1 dimensions, cosines −1/(n − 1)
  simplex /= np.linalg.norm(simplex, axis=0)
  assert theory.reads_all(theory.ranked(simplex.T @ simplex)[1], k)
  assert n - 1 >= theory.any_code(n=n, k=k)


def test_pursuit_recovers_one_feature_of_a_plane_and_no_sum_that_others_make():
  angle = 2 * np.pi * np.arange(5) / 5
  W = np.stack([np.cos(angle), np.sin(angle)])
  assert all(theory.pursued(W, np.array([k])) for k in range(5))
  assert not theory.pursued(W, np.array([0, 2]))  # the one between them is shorter


def test_half_of_the_supports_of_a_normal_code_are_recovered_at_the_statistical_dimension():
  k, n = 4, 64
  m = round(theory.statistical_dimension(n=n, k=k))
  draws = rng()
  hits = [theory.pursued(draws.normal(size=(m, n)), np.arange(k)) for _ in range(200)]
  assert np.mean(hits) == pytest.approx(0.5, abs=0.15)


def test_thresholds_lie_between_points_and_are_unknown_off_the_grid():
  m = np.array([4, 16])
  assert analysis.crossing(m, np.array([0.0, 1.0])) == pytest.approx(8)
  assert np.isnan(analysis.crossing(m, np.array([0.6, 1.0])))
  assert np.isnan(analysis.crossing(m, np.array([0.1, 0.2])))
  assert analysis.settled(m, np.array([False, True])) == 16
  assert np.isnan(analysis.settled(m, np.array([True, False])))


@pytest.fixture(scope="module")
def found() -> xr.Dataset:
  """Laws with a small spread over six copies of one code."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(analysis, "N_EXAMPLES", 200)
    patch.setattr(analysis, "N_PURSUED", 2)
    patch.setattr(analysis, "N_PUBLISHED", 2)
    patch.setattr(analysis, "ACTIVE", (2, 4))
    patch.setattr(analysis, "EFFORTS", (0.35, 2.0))
    dataset = datasets.dataset(W=np.zeros((1, 256)), axes={"restart": [0]}, measured=())
    made = EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)
  copies = made.isel(restart=[0] * 6).assign_coords(restart=range(6))
  factor = 1 + xr.DataArray(np.linspace(-0.02, 0.02, 6), dims="restart")
  n, active = 256, made["active"].values.tolist()
  exact = {m: theory.expected_wrong(n=n, k=4, m=m) for m in (64, 128, 256)}
  wrong = copies["wrong"].copy(deep=True)
  for m, value in exact.items():
    wrong.loc[{"active": 4, "dimensions": m}] = value
  laws = {
    name: factor * xr.DataArray([law(n=n, k=k) for k in active], dims="active")
    for name, law in (
      ("needed_filter", theory.typical),
      ("needed_pursuit", theory.statistical_dimension),
      ("needed_normal", theory.statistical_dimension),
      ("needed_worst", theory.union),
    )
  }
  ones = copies["published_recovered"] * 0 + 1
  return copies.assign(laws).assign(wrong=wrong * factor, published_recovered=ones)


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


def contradicted(dataset: xr.Dataset) -> list[int]:
  return [k for k, found in enumerate(verdicts(dataset)) if found == CONTRADICTED]


def test_codes_that_follow_the_laws_confirm_all(found):
  assert verdicts(found) == [
    *[IDENTITY] * 3,
    *(CONFIRMED, IDENTITY, CONFIRMED, REPORTED),
    *(CONFIRMED, IDENTITY, REPORTED),
    *([CONFIRMED] * 4),
    REPORTED,
  ]
  assert len(figure.draw(found).axes) == 3


def test_other_counts_contradict_what_they_are_about(found):
  def scaled(name: str, factor: float, k: int | None = None) -> list[int]:
    active = found["active"]
    return contradicted(
      found.assign({name: found[name] * xr.where(active == (k or active), factor, 1)})
    )

  assert scaled("wrong", 1.2) == [0]
  assert scaled("needed_filter", 1.3) == [2]
  assert scaled("needed_filter", 1.5, k=4) == [2, 10]
  assert scaled("needed_normal", 0.8) == [4]
  assert scaled("needed_pursuit", 0.8) == [5]
  assert scaled("needed_pursuit", 20) == [5, 12, 13]
  assert scaled("needed_worst", 3) == [7, 8]
  assert scaled("needed_worst", 0.8, k=4) == [11]
  assert contradicted(found.assign(published_recovered=found["published_recovered"] * 0.8)) == [3]


def test_a_threshold_that_was_not_found_confirms_nothing(found):
  unknown = found["needed_pursuit"].where(found["restart"] > 0)
  assert contradicted(found.assign(needed_pursuit=unknown)) == [5, 12, 13]


def test_few_codes_decide_nothing(found):
  assert set(verdicts(found.isel(restart=slice(2)))) == {UNDECIDED, REPORTED, IDENTITY}


@pytest.mark.parametrize(
  ("field", "value"),
  [("train.steps", 10), ("model.n_hidden", 2), ("model.n_features", 100)],
)
def test_trained_models_and_dense_examples_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)
