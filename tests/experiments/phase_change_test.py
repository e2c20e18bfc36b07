"""The phase change's analysis: summaries of restarts, boundaries, verdicts."""

import numpy as np
import pytest
import xarray as xr

from configs import phase_change
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments import ANALYSES
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED, VERDICTS
from toy_superposition.experiments.phase_change import claims as analysis
from toy_superposition.experiments.phase_change import figure as phase_diagram
from toy_superposition.theory import phase_change as theory

R = np.geomspace(0.1, 10, 6)
P = np.geomspace(1, 0.01, 5)


def made_of_the_optimum(n_restarts: int = 3) -> xr.Dataset:
  """Returns a dataset whose first restart is the true optimum and whose last one is bad."""
  shape = (len(R), len(P), n_restarts)
  importance = np.ones((*shape, 2), np.float32)
  importance[..., 1] = R[:, None, None]
  density = np.broadcast_to(P[:, None, None], (*shape, 2)).astype(np.float32)
  dims = ("relative_importance", "density", "restart")
  dataset = xr.Dataset(
    {
      "feature_density": ((*dims, "feature"), density),
      "feature_importance": ((*dims, "feature"), importance),
      "finite": (dims, np.ones(shape, np.int8)),
      "W": ((*dims, "hidden", "feature"), np.zeros((*shape, 1, 2), np.float32)),
    },
    {"relative_importance": R, "density": P, "restart": np.arange(n_restarts)},
  )
  mesh = meshes.make_mesh(setup.devices(2))
  solved = analysis._add_optimum(dataset, mesh, 2**30)
  W = solved["optimum_W"].values  # (r, p, hidden, feature)
  norm = np.abs(W[:, :, 0, :])
  overlap = (W[:, :, 0, ::-1]) ** 2 * (norm > 0)

  def with_restarts(values, bad):
    filled = np.repeat(values[:, :, None], n_restarts, axis=2)
    filled[:, :, -1] = bad
    return filled

  loss = with_restarts(solved["optimum_loss"].values, 9.0)
  return dataset.assign(
    loss=(dims, loss),
    feature_norm=((*dims, "feature"), with_restarts(norm, 0.0)),
    superposition=((*dims, "feature"), with_restarts(overlap, 0.0)),
  )


@pytest.fixture(scope="module")
def optimal():
  return made_of_the_optimum()


def analysed(dataset):
  mesh = meshes.make_mesh(setup.devices(2))
  return ANALYSES["phase_change"].run(dataset, mesh, 2**30)


def test_restarts_at_the_optimum_agree_with_it_everywhere(optimal):
  result = analysed(optimal)
  assert float(result["agreement_best_optimum"]) == 1
  assert float(result["agreement_mean_optimum"]) == 1  # the bad restart is the one discarded
  assert float(result["share_of_restarts_at_optimum"].mean()) == pytest.approx(2 / 3)
  assert int((result["best_restart"] == 2).sum()) == 0
  for claim in ANALYSES["phase_change"].claims(result):
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
  rows = ANALYSES["phase_change"].claims(result)
  (row,) = [row for row in rows if "no restart is finite" in row.statement]
  assert row.measured == str(2 * len(P))
  assert phase_diagram.draw(result).axes


def test_cells_with_a_wrong_phase_lower_the_agreement_and_contradict_the_claim(optimal):
  wrong = optimal.copy(deep=True)
  wrong["feature_norm"][:3] = 0.0
  result = analysed(wrong)
  expected = 1 - float((result["optimum_phase"][:3] != theory.Phase.NOT_REPRESENTED).mean()) / 2
  assert float(result["agreement_best_optimum"]) == pytest.approx(expected)
  assert ANALYSES["phase_change"].claims(result)[0].verdict == CONTRADICTED


def test_one_restart_without_an_axis_is_enough(optimal):
  result = analysed(optimal.isel(restart=0, drop=True))
  assert float(result["agreement_best_optimum"]) == 1
  assert ANALYSES["phase_change"].claims(result)
  assert phase_diagram.draw(result).axes


def phases(r, p, boundary):
  """Returns a map that is in superposition below the boundary and dropped above it."""
  values = np.where(p[None] < boundary[:, None], 2, 0)
  return xr.DataArray(values, {"relative_importance": r, "density": p}, analysis.PLANE)


def test_the_boundary_lies_between_the_cells_that_it_separates():
  r, p = np.geomspace(0.1, 1, 9), np.geomspace(1, 0.01, 60)
  true = theory.boundary(r, 2)
  middle, factor = analysis.boundary(phases(r, p, true))
  assert factor == pytest.approx((p[0] / p[1]) ** 0.5)
  assert np.all(np.abs(np.log(middle / true)) <= np.log(factor) * 1.0001)
  np.testing.assert_allclose(analysis.boundary_at(phases(r, p, true), [0.1, 1.0]), middle[[0, -1]])


def test_no_boundary_is_found_where_all_or_nothing_is_in_superposition():
  r, p = np.array([0.5, 1.0]), np.geomspace(1, 0.1, 4)
  middle, _ = analysis.boundary(phases(r, p, np.array([0.0, 2.0])))
  assert np.isnan(middle).all()


def boundary_verdicts(num: int, shift: float):
  """Returns the verdicts on a map with the boundary of the true optimum times `shift`."""
  r, p = np.geomspace(0.1, 10, num), np.geomspace(1, 0.01, num)
  known, true = zip(*theory.TRUE_BOUNDARY.items(), strict=True)
  folded = np.exp(-np.abs(np.log(r)))  # r or 1/r, whichever is below 1
  at = np.exp(np.interp(np.log(folded), np.log(known), np.log(true)))
  dataset = xr.Dataset({"best_phase": phases(r, p, at * shift)})
  return {claim.verdict for claim in analysis._boundary_claims(dataset, 2)}


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
  changed.evaluation.method = "sampled"
  with pytest.raises(UserError, match="phase_change") as error:
    config.resolve(changed)
  assert name in str(error.value)
