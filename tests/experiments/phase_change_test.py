"""The phase change: summaries of restarts, boundaries, verdicts on the true optimum."""

import numpy as np
import pytest
import xarray as xr

from configs import phase_change, phase_change_three
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED, VERDICTS
from toy_superposition.experiments.phase_change import EXPERIMENT, analysis, figure
from toy_superposition.experiments.phase_change.claims import _boundary_claims
from toy_superposition.experiments.phase_plane import PLANE, boundary, boundary_at
from toy_superposition.theory import phase_change as theory

R = np.geomspace(0.1, 10, 6)
P = np.geomspace(1, 0.01, 5)


def dataset_of_the_optimum(n_restarts: int = 3) -> xr.Dataset:
  """Returns a dataset whose restarts are the true optimum, but the last one, which is bad."""
  axes = {"relative_importance": R, "density": P, "restart": list(range(n_restarts))}
  config = {"importance.profile": "last_apart"}
  empty = datasets.dataset(W=np.zeros((1, 2)), axes=axes, config=config)
  solved = EXPERIMENT.run(empty, meshes.make_mesh(setup.devices(2)), 2**30)

  def with_restarts(optimum: np.ndarray, bad: float) -> np.ndarray:
    filled = np.repeat(optimum[:, :, None], n_restarts, axis=2)
    filled[:, :, -1] = bad
    return filled

  return datasets.dataset(
    W=with_restarts(solved["optimum_W"].values, 0.0),
    b=with_restarts(solved["optimum_b"].values, 0.0),
    loss=with_restarts(solved["optimum_loss"].values, 9.0),
    axes=axes,
    config=config,
  )


@pytest.fixture(scope="module")
def optimal():
  return dataset_of_the_optimum()


def analysed(dataset: xr.Dataset) -> xr.Dataset:
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(2)), 2**30)


def test_restarts_at_the_optimum_agree_with_it_everywhere(optimal):
  result = analysed(optimal)
  assert float(result["agreement_best_optimum"]) == 1
  assert float(result["agreement_mean_optimum"]) == 1  # the bad restart is the one discarded
  assert float(result["share_of_restarts_at_optimum"].mean()) == pytest.approx(2 / 3)
  assert int((result["best_restart"] == 2).sum()) == 0
  for claim in EXPERIMENT.claims(result):
    assert claim.verdict in VERDICTS
    assert claim.verdict != CONTRADICTED, claim


def test_the_order_of_the_axes_does_not_matter(optimal):
  a = analysed(optimal)
  b = analysed(optimal.transpose("restart", "density", "feature", "relative_importance", "hidden"))
  xr.testing.assert_allclose(a["best_phase"], b["best_phase"])
  assert float(a["agreement_best_closed_form"]) == float(b["agreement_best_closed_form"])


def test_a_restart_that_is_not_finite_is_never_the_best_and_is_discarded_first(optimal):
  broken = optimal.copy(deep=True)
  broken["loss"][:, :, 0] = np.nan
  broken["finite"][:, :, 0] = 0
  broken["feature_norm"][:, :, 0] = np.nan
  result = analysed(broken)
  assert int((result["best_restart"] == 0).sum()) == 0
  assert float(result["agreement_best_optimum"]) == 1
  assert np.isfinite(result["mean_norm"]).all()  # restarts 1 and 2; 0 counted as worst


def test_cells_without_a_finite_restart_show_no_phase_and_agree_with_nothing(optimal):
  broken = optimal.copy(deep=True)
  broken["loss"][:2], broken["feature_norm"][:2], broken["finite"][:2] = np.nan, np.nan, 0
  result = analysed(broken)
  assert np.all(result["best_phase"][:2] == analysis.NO_PHASE)
  assert float(result["agreement_best_optimum"]) == pytest.approx(2 / 3)
  claims = EXPERIMENT.claims(result)
  (row,) = [claim for claim in claims if "no restart is finite" in claim.statement]
  assert row.measured == str(2 * len(P))
  assert figure.draw(result).axes


def test_cells_with_a_wrong_phase_lower_the_agreement_and_contradict_the_claim(optimal):
  wrong = optimal.copy(deep=True)
  wrong["feature_norm"][:3] = 0.0
  result = analysed(wrong)
  expected = 1 - float((result["optimum_phase"][:3] != theory.Phase.NOT_REPRESENTED).mean()) / 2
  assert float(result["agreement_best_optimum"]) == pytest.approx(expected)
  assert EXPERIMENT.claims(result)[0].verdict == CONTRADICTED


def test_one_restart_without_an_axis_is_enough(optimal):
  result = analysed(optimal.isel(restart=0, drop=True))
  assert float(result["agreement_best_optimum"]) == 1
  assert EXPERIMENT.claims(result)
  assert figure.draw(result).axes


def phases(r: np.ndarray, p: np.ndarray, begins: np.ndarray) -> xr.DataArray:
  """Returns a map that is in superposition below the density `begins` and dropped above it."""
  values = np.where(p[None] < begins[:, None], 2, 0)
  return xr.DataArray(values, {"relative_importance": r, "density": p}, PLANE)


def test_the_boundary_lies_between_the_cells_that_it_separates():
  r, p = np.geomspace(0.1, 1, 9), np.geomspace(1, 0.01, 60)
  true = np.asarray(theory.boundary(r, 2))
  middle, factor = boundary(phases(r, p, true))
  assert factor == pytest.approx((p[0] / p[1]) ** 0.5)
  assert np.all(np.abs(np.log(middle / true)) <= np.log(factor) * 1.0001)
  np.testing.assert_allclose(boundary_at(phases(r, p, true), [0.1, 1.0]), middle[[0, -1]])


def test_no_boundary_is_found_where_all_or_nothing_is_in_superposition():
  r, p = np.array([0.5, 1.0]), np.geomspace(1, 0.1, 4)
  middle, _ = boundary(phases(r, p, np.array([0.0, 2.0])))
  assert np.isnan(middle).all()


def boundary_verdicts(num: int, shift: float):
  """Returns the verdicts on a map with the boundary of the true optimum times `shift`."""
  r, p = np.geomspace(0.1, 10, num), np.geomspace(1, 0.01, num)
  known, true = zip(*theory.TRUE_BOUNDARY.items(), strict=True)
  folded = np.exp(-np.abs(np.log(r)))  # r or 1/r, whichever is below 1
  at = np.exp(np.interp(np.log(folded), np.log(known), np.log(true)))
  dataset = xr.Dataset({"best_phase": phases(r, p, at * shift)})
  return {claim.verdict for claim in _boundary_claims(dataset, 2)}


def test_boundary_claims_are_confirmed_contradicted_or_left_open():
  assert boundary_verdicts(64, 1.0) == {CONFIRMED}
  assert boundary_verdicts(64, 1.3) == {CONTRADICTED}
  assert boundary_verdicts(8, 1.0) == {UNDECIDED}


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.name", "linear"),
    ("data.distribution", "sparse_signed_uniform"),
    ("importance.profile", "geometric"),
    ("loss.reduction", "mean"),
    ("model.n_hidden", 2),
  ],
)
def test_theory_that_does_not_apply_is_refused_by_name(field, value):
  changed = phase_change.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  changed.evaluation.method = "sampled"  # which every model and distribution has
  with pytest.raises(UserError, match=rf"{name}.*'phase_change'.*=none"):
    resolve(changed)


def test_three_features_are_a_diff_of_two():
  resolved = resolve(phase_change_three.get_config("quick"))
  assert resolved.experiment == "phase_change"
  assert (resolved.values["model.n_features"], resolved.values["model.n_hidden"]) == (3, 2)
