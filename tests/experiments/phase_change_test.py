"""The phase change: summaries of restarts, boundaries, verdicts on the true optimum."""

import numpy as np
import pytest
import xarray as xr

from configs import phase_change, phase_change_three
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  IDENTITY,
  UNDECIDED,
  VERDICTS,
)
from toy_superposition.experiments.phase_change import (
  EXPERIMENT,
  analysis,
  exact,
  figure,
  line_claims,
)
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


@pytest.fixture(scope="module")
def solved(optimal):
  return analysed(optimal)


SEARCHED = ("loss", "W", "b", "share_found", "norm", "superposition", "phase", "phases")
FIXED = ("closed_form_error", "equal_W", "unbiased_W", "boundary_slope")


def summarized(dataset: xr.Dataset, solved: xr.Dataset) -> xr.Dataset:
  """Returns the analysis of other models on the same plane, whose optima are not searched again."""
  plane = solved.drop_vars("restart")
  optimum, fixed = plane[[f"optimum_{name}" for name in SEARCHED]], plane[[*FIXED]]
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(analysis, "_add_optimum", lambda dataset, *_: dataset.merge(optimum))
    patch.setattr(exact, "add", lambda dataset: dataset.merge(fixed))
    return analysed(dataset)


def test_restarts_at_the_optimum_agree_with_it_everywhere(solved):
  result = solved
  assert float(result["agreement_best_optimum"]) == 1
  assert float(result["agreement_mean_optimum"]) == 1  # the bad restart is the one discarded
  assert float(result["share_of_restarts_at_optimum"].mean()) == pytest.approx(2 / 3)
  assert int((result["best_restart"] == 2).sum()) == 0
  for claim in EXPERIMENT.claims(result):
    assert claim.verdict in VERDICTS
    assert claim.verdict != CONTRADICTED, claim


def test_the_order_of_the_axes_does_not_matter(optimal, solved):
  a = solved
  b = analysed(optimal.transpose("restart", "density", "feature", "relative_importance", "hidden"))
  xr.testing.assert_allclose(a["best_phase"], b["best_phase"])
  assert float(a["agreement_best_closed_form"]) == float(b["agreement_best_closed_form"])


def test_a_restart_that_is_not_finite_is_never_the_best_and_is_discarded_first(optimal, solved):
  broken = optimal.copy(deep=True)
  broken["loss"][:, :, 0] = np.nan
  broken["finite"][:, :, 0] = 0
  broken["feature_norm"][:, :, 0] = np.nan
  result = summarized(broken, solved)
  assert int((result["best_restart"] == 0).sum()) == 0
  assert float(result["agreement_best_optimum"]) == 1
  assert np.isfinite(result["mean_norm"]).all()  # restarts 1 and 2; 0 counted as worst


def test_cells_without_a_finite_restart_show_no_phase_and_agree_with_nothing(optimal, solved):
  broken = optimal.copy(deep=True)
  broken["loss"][:2], broken["feature_norm"][:2], broken["finite"][:2] = np.nan, np.nan, 0
  result = summarized(broken, solved)
  assert np.all(result["best_phase"][:2] == analysis.NO_PHASE)
  assert float(result["agreement_best_optimum"]) == pytest.approx(2 / 3)
  claims = EXPERIMENT.claims(result)
  (row,) = [claim for claim in claims if "no restart is finite" in claim.statement]
  assert row.measured == str(2 * len(P))
  assert figure.draw(result).axes


def test_cells_with_a_wrong_phase_lower_the_agreement_and_contradict_the_claim(optimal, solved):
  wrong = optimal.copy(deep=True)
  wrong["feature_norm"][:3] = 0.0
  result = summarized(wrong, solved)
  expected = 1 - float((result["optimum_phase"][:3] != theory.Phase.NOT_REPRESENTED).mean()) / 2
  assert float(result["agreement_best_optimum"]) == pytest.approx(expected)
  assert EXPERIMENT.claims(result)[0].verdict == CONTRADICTED


def test_one_restart_without_an_axis_is_enough(optimal, solved):
  result = summarized(optimal.isel(restart=0, drop=True), solved)
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


EQUAL_DENSITY = np.geomspace(0.5, 0.85, 28)


def lines(
  n: int = 2, num: int = 64, shift: float = 1.0, slope: float = 0.0, **changes
) -> xr.Dataset:
  """Returns maps whose boundary is that of the true optimum times `shift`, with its norms.

  Args:
    n: features.
    num: points of each axis.
    shift: factor on the boundary of the best restarts.
    slope: of the norm in log p below the boundary; 0 for a jump from 0 to .7 at the boundary.
    changes: variables that take the place of those made here.
  """
  r, p = np.geomspace(0.1, 10, num), np.geomspace(1, 0.01, num)
  known, true = zip(*(theory.TRUE_BOUNDARY | {1.0: 0.705}).items(), strict=True)
  folded = np.exp(-np.abs(np.log(r)))
  at = np.exp(np.interp(np.log(folded), np.log(known), np.log(true)))
  best, optimum = phases(r, p, at * shift), phases(r, p, at)
  if slope:
    norm = best.copy(data=np.clip(0.5 + slope * np.log(at[:, None] * shift / p), 0, 1))
  else:
    norm = best.copy(data=np.where(best == 2, 0.7, 0.0))
  equal = np.where(EQUAL_DENSITY < 0.705, 0.8, 0.5)
  rest = np.sqrt(0.75) * np.ones_like(equal)
  triangle = np.array([[1, -0.5, -0.5], [0, 0.75**0.5, -(0.75**0.5)]])
  equal_W = np.stack([equal, -0.8 * np.ones_like(equal)], -1)[:, None]
  dataset = xr.Dataset(
    {
      "best_phase": best,
      "best_norm": norm,
      "optimum_phase": optimum,
      "optimum_norm": xr.where(optimum == 2, 0.7, 0.0),
      "boundary_slope": ((PLANE[0], "side"), np.tile([0.1, 0.2], (num, 1))),
      "closed_form_error": ((), 1e-7),
      "equal_W": (
        ("equal", "hidden", "feature"),
        equal_W if n == 2 else np.tile(triangle, (len(rest), 1, 1)),
      ),
      "feature_norm": ((*PLANE, "feature"), np.zeros((num, num, n))),
    },
    {"equal": EQUAL_DENSITY, "unbiased": exact.UNBIASED},
  )
  if n == 2:
    W = np.where(exact.UNBIASED[:, None] < 0.585, [[1.05, -1.05]], [[0.5**0.5, 0.5**0.5]])
    dataset["unbiased_W"] = (("unbiased", "feature"), W)
  for name, begins in (("best", 0.705 * shift), ("optimum", 0.705)):
    own, shared = dataset[f"{name}_phase"], (dataset["density"] < begins) * 2
    both = xr.where(dataset[PLANE[0]] > 1, shared, 1)
    of_all = xr.concat([both] * (n - 1) + [own], "feature").transpose(*PLANE, "feature")
    dataset[f"{name}_phases"] = of_all
  return dataset.assign(changes)


def line_verdicts(**options) -> dict[str, str]:
  """Returns the verdict of each statement by its first words."""
  found = line_claims.claims(lines(**options))
  return {" ".join(claim.statement.split()[:6]): claim.verdict for claim in found}


STEPS = "the change is of first order"
KINKED = "the least loss has a kink"
AS_DRAWN = "superposition begins where it does in"
MEET = "the three phases meet at equal"
CLOSED = "superposition begins on the lines of"
EXACT_LOSSES = "closed forms are the exact losses"
CONFUSED = "without biases two equally important dense"
ALL_FEATURES = "share of cells with |log10 r|"
OTHERS = "for r > 1 the two"
TRIANGLE = "three equally important dense features share"


def test_the_true_boundary_confirms_all_but_the_closed_forms():
  assert line_verdicts() == dict.fromkeys((STEPS, KINKED, AS_DRAWN, MEET, CONFUSED), CONFIRMED) | {
    CLOSED: CONTRADICTED,
    EXACT_LOSSES: IDENTITY,
  }
  assert line_verdicts(n=3) == dict.fromkeys((ALL_FEATURES, OTHERS, TRIANGLE), CONFIRMED) | {
    CLOSED: CONTRADICTED,
    EXACT_LOSSES: IDENTITY,
  }


def test_a_coarse_map_decides_nothing_about_lines():
  coarse = line_verdicts(num=8)
  assert {coarse[name] for name in (STEPS, KINKED, AS_DRAWN, MEET, CLOSED)} == {UNDECIDED}
  assert line_verdicts(n=3, num=8)[OTHERS] == UNDECIDED


def test_a_boundary_elsewhere_a_slope_or_another_phase_contradicts():
  moved = line_verdicts(shift=1.3)
  assert {moved[name] for name in (AS_DRAWN, MEET)} == {CONTRADICTED}
  assert line_verdicts(n=3, shift=1.3)[OTHERS] == CONTRADICTED
  assert line_verdicts(n=3, shift=1.6)[ALL_FEATURES] == CONTRADICTED
  assert line_verdicts(slope=0.3)[STEPS] == CONTRADICTED
  smooth = xr.DataArray(np.tile([0.1, 0.11], (64, 1)), dims=(PLANE[0], "side"))
  assert line_verdicts(boundary_slope=smooth)[KINKED] == CONTRADICTED
  apart = xr.DataArray(np.tile([1.0, -1.0], (len(exact.UNBIASED), 1)), dims=("unbiased", "feature"))
  assert line_verdicts(unbiased_W=apart)[CONFUSED] == CONTRADICTED
  assert line_verdicts(closed_form_error=xr.DataArray(1e-3))[EXACT_LOSSES] == CONTRADICTED
  flat = xr.DataArray(
    np.tile([[1.0, -1, 0], [0, 0, 1]], (28, 1, 1)), dims=("equal", "hidden", "feature")
  )
  assert line_verdicts(n=3, equal_W=flat)[TRIANGLE] == CONTRADICTED


def test_closed_forms_are_the_exact_losses_of_their_models():
  for n in (2, 3):
    assert exact.closed_form_error(R, P, n) < 1e-5


def test_the_slopes_at_the_boundary_are_those_of_the_solutions(solved):
  """An absent feature with bias b costs r (p/3 − p b + b²), and a pair's costs rise faster."""
  found = solved["boundary_slope"].sel({PLANE[0]: 0.1}, method="nearest").values
  middle, _ = boundary(solved["optimum_phase"])
  bias = P[middle[0] < P].min() / 2  # of the denser cell's optimum
  assert found[1] == pytest.approx(0.1 * (1 / 3 - bias), rel=1e-3)
  assert found[0] > 1.5 * found[1]


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
