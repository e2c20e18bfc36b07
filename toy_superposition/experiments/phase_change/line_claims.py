"""Where the phases meet and how abruptly: the whole boundary, its ends, and every feature's phase.

Paper, section "Superposition as a Phase Change", with the comment of Tom McGrath printed there.
"""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.experiment import Claim, identity, verdict
from toy_superposition.experiments.phase_change.analysis import NEAR_EQUAL, NO_PHASE
from toy_superposition.experiments.phase_plane import PLANE, boundary, boundary_at
from toy_superposition.theory import phase_change as theory
from toy_superposition.theory.phase_change import Phase

if TYPE_CHECKING:
  import xarray as xr

SAME_PHASES = 0.95  # minimum share of cells, as for the extra feature alone
LINE_TOLERANCE = 0.08  # relative, of densities: that of the true boundary
FINE = 1.5  # largest ratio of neighbouring densities between which a slope is no jump
# The optimum's norm jumps by .26 at least along the boundary; between neighbouring cells of the
# default size it changes by .05 elsewhere.
STEP = 0.2
KINK = 0.2  # minimum relative change of the loss's slope, as for the pentagon and the digons
# Densities at r = .1, .2 and .5 read off the paper's figure of trained models.
PAPER_FIGURE = {0.1: 0.173, 0.2: 0.298, 0.5: 0.483}
UNEQUAL = 0.1  # difference of two norms from which one of two equally important features is weaker
NORM_TOLERANCE = 0.01  # of 1/√2
CONFUSED_FROM = 0.6  # density; the antipodal pair is best up to 4/7 (an independent computation)
TRIANGLE_AT, COSINE_TOLERANCE = 0.7, 0.05  # density; of the cosine −1/2
EXACT = 1e-4  # relative, of closed forms and quadrature (float32 sums of up to 10 terms: 1e-6)


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts, of two features in one dimension or of three in two."""
  dataset = dataset.transpose(*PLANE, ...).sortby(list(PLANE))
  rows = [_closed_lines_claim(dataset), _identity_claim(dataset)]
  if dataset.sizes["feature"] == 2:
    return [
      _step_claim(dataset),
      _slope_claim(dataset),
      _figure_claim(dataset),
      _triple_point_claim(dataset),
      *rows,
      _confused_claim(dataset),
    ]
  return [_every_feature_claim(dataset), _others_claim(dataset), *rows, _triangle_claim(dataset)]


def _is_fine(dataset: "xr.Dataset") -> bool:
  density = dataset["density"].values
  return len(density) > 1 and float(np.max(density[1:] / density[:-1])) <= FINE


def _near(measured: np.ndarray, expected: np.ndarray) -> bool:
  return bool(np.all(np.abs(measured / expected - 1) <= LINE_TOLERANCE))


def _resolved(dataset: "xr.Dataset", measured: np.ndarray) -> bool:
  """Returns whether densities are known, and to within the tolerance."""
  _, factor = boundary(dataset["best_phase"])
  return bool(np.isfinite(measured).all()) and factor <= 1 + LINE_TOLERANCE


def _listed(values: np.ndarray) -> str:
  return ", ".join(f"{value:.3f}" for value in values)


def steps(dataset: "xr.Dataset", name: str) -> np.ndarray:
  """Returns by how much the extra feature's norm grows from the dense side of the boundary to the
  sparse one, in the best restart or the optimum (`name`), for r ≤ 1 in which there is a boundary.

  It is the largest step between neighbouring densities, the boundary's own or one beside it.
  """
  phase, norm = dataset[f"{name}_phase"].values, dataset[f"{name}_norm"].values
  found = []
  for k in np.flatnonzero(dataset[PLANE[0]].values <= 1):
    last = int(np.max(np.flatnonzero(phase[k] == Phase.SUPERPOSITION), initial=-1))
    if 0 <= last < phase.shape[1] - 1:
      near = norm[k, max(last - 1, 0) : last + 3]
      found.append(float(np.max(near[:-1] - near[1:])))
  return np.array(found)


def _step_claim(dataset: "xr.Dataset") -> Claim:
  trained, true = (steps(dataset, name) for name in ("best", "optimum"))
  smallest = min(trained, default=np.nan), min(true, default=np.nan)
  return Claim(
    "the change is of first order along the whole boundary, r ≤ 1: smallest step of the extra "
    "feature's norm between neighbouring densities",
    f"{smallest[0]:.2f} in the best restarts, {smallest[1]:.2f} in the optimum, "
    f"at {len(trained)} relative importances",
    f"≥ {STEP:g} everywhere",
    verdict(
      bool(np.all(trained >= STEP)), decided=_is_fine(dataset) and bool(np.isfinite(smallest).all())
    ),
  )


def _slope_claim(dataset: "xr.Dataset") -> Claim:
  chosen = dataset["boundary_slope"].sel({PLANE[0]: dataset[PLANE[0]] <= 1})
  slopes = chosen.transpose(PLANE[0], "side").values
  slopes = slopes[np.isfinite(slopes).all(axis=1)]
  change = np.abs(slopes[:, 0] / slopes[:, 1] - 1)
  return Claim(
    "the least loss has a kink along the whole boundary, r ≤ 1: smallest relative change of its "
    "slope in density, from one optimum to the other",
    f"{min(change, default=np.nan):.0%}, at {len(change)} relative importances",
    f"> {KINK:.0%} everywhere",
    verdict(bool(np.all(change > KINK)), decided=_is_fine(dataset) and len(change) > 0),
  )


def _figure_claim(dataset: "xr.Dataset") -> Claim:
  expected = np.array(list(PAPER_FIGURE.values()))
  measured = boundary_at(dataset["best_phase"], list(PAPER_FIGURE))
  return Claim(
    "superposition begins where it does in the paper's figure of trained models (r = "
    f"{', '.join(f'{r:g}' for r in PAPER_FIGURE)}): density",
    _listed(measured),
    f"{_listed(expected)}, each ±{LINE_TOLERANCE:.0%}",
    verdict(_near(measured, expected), decided=_resolved(dataset, measured)),
  )


def triple_point(dataset: "xr.Dataset") -> float:
  """Returns the density at which the optimum for r = 1 stops to have two equal norms; nan without
  one."""
  norms = np.linalg.norm(dataset["equal_W"].transpose("equal", "hidden", "feature"), axis=1)
  unequal = np.flatnonzero(np.ptp(norms, axis=1) > UNEQUAL)
  density = dataset["equal"].values
  return float(np.sqrt(density[unequal[0]] * density[unequal[0] - 1])) if unequal.size else np.nan


def _triple_point_claim(dataset: "xr.Dataset") -> Claim:
  measured, expected = boundary_at(dataset["best_phase"], [1.0]), triple_point(dataset)
  return Claim(
    "the three phases meet at equal importances, where the optimum has them meet: density",
    _listed(measured),
    f"{expected:.3f} ± {LINE_TOLERANCE:.0%}",
    verdict(
      _near(measured, np.array([expected])),
      decided=_resolved(dataset, measured) and bool(np.isfinite(expected)),
    ),
  )


def shared_by_others(dataset: "xr.Dataset", name: str) -> float:
  """Returns the density below which the two other features share a dimension, for r > 1, in the
  best restarts or the optimum; n = 3."""
  above = dataset.sel({PLANE[0]: np.log10(dataset[PLANE[0]]) > NEAR_EQUAL})
  phases = above[f"{name}_phases"].isel(feature=[0, 1])
  both = (phases == Phase.SUPERPOSITION).all("feature")
  found, _ = boundary(both * int(Phase.SUPERPOSITION))
  known = found[np.isfinite(found)]
  return float(np.exp(np.log(known).mean())) if len(known) else np.nan


def _closed_lines_claim(dataset: "xr.Dataset") -> Claim:
  known = np.array(list(theory.TRUE_BOUNDARY))
  if dataset.sizes["feature"] == 2:
    where = "and where all phases meet, r = 1"
    at_one = boundary_at(dataset["best_phase"], [1.0])
  else:
    where = "and of the two others for r > 1"
    at_one = np.array([shared_by_others(dataset, "best")])
  measured = np.append(boundary_at(dataset["best_phase"], known.tolist()), at_one)
  expected = np.append(theory.boundary(known, dataset.sizes["feature"]), theory.TRIPLE_POINT)
  return Claim(
    "superposition begins on the lines of the closed forms: density, at r = "
    f"{', '.join(f'{r:g}' for r in known)}, {where}",
    _listed(measured),
    f"4r/(2 + 5r), and 4/7: {_listed(expected)}, each ±{LINE_TOLERANCE:.0%}",
    verdict(_near(measured, expected), decided=_resolved(dataset, measured)),
  )


def _identity_claim(dataset: "xr.Dataset") -> Claim:
  error = float(dataset["closed_form_error"])
  return Claim(
    "closed forms are the exact losses of their models: largest relative difference",
    f"{error:.0e}",
    f"≤ {EXACT:.0e}",
    identity(error <= EXACT),
  )


def _confused_claim(dataset: "xr.Dataset") -> Claim:
  W = dataset["unbiased_W"].transpose("unbiased", "feature").values
  density, product = dataset["unbiased"].values, W[:, 0] * W[:, 1]
  off = np.abs(np.abs(W) - 0.5**0.5).max(axis=1)
  sparse, dense = density <= theory.TRIPLE_POINT, density >= CONFUSED_FROM
  confused = (product > 0) & (off <= NORM_TOLERANCE)
  first = density[confused].min(initial=np.inf)
  return Claim(
    "without biases two equally important dense features end up confused, W₁ = W₂ = 1/√2, and "
    "sparser ones as an antipodal pair (McGrath): density from which they are confused",
    f"{first:.2f}; farthest from 1/√2: {off[dense].max(initial=0):.4f}",
    f"antipodal up to 4/7, confused from {CONFUSED_FROM:g} on, within {NORM_TOLERANCE:g}",
    verdict(bool(np.all(product[sparse] < 0) and np.all(confused[dense]))),
  )


def _every_feature_claim(dataset: "xr.Dataset") -> Claim:
  """Two of the three features are exchangeable: their phases are compared in ascending order."""

  def arranged(name: str) -> np.ndarray:
    phases = dataset[f"{name}_phases"].transpose(*PLANE, "feature").values
    return np.concatenate([np.sort(phases[..., :-1], axis=-1), phases[..., -1:]], axis=-1)

  best = arranged("best")
  away = np.abs(np.log10(dataset[PLANE[0]].values)) > NEAR_EQUAL
  same = np.all(best == arranged("optimum"), axis=-1)[away]
  known = bool(np.any(best != NO_PHASE)) and same.size > 0
  share = float(same.mean()) if same.size else np.nan
  return Claim(
    f"share of cells with |log10 r| > {NEAR_EQUAL} in which the best restart shows the optimum's "
    "phase of every feature, the two of equal importance in either order",
    f"{share:.1%}",
    f"≥ {SAME_PHASES:.0%}",
    verdict(share >= SAME_PHASES, decided=known),
  )


def _others_claim(dataset: "xr.Dataset") -> Claim:
  measured, expected = (shared_by_others(dataset, name) for name in ("best", "optimum"))
  return Claim(
    "for r > 1 the two other features begin to share a dimension where they do in the optimum: "
    "density",
    f"{measured:.3f}",
    f"{expected:.3f} ± {LINE_TOLERANCE:.0%}",
    verdict(
      _near(np.array([measured]), np.array([expected])),
      decided=_resolved(dataset, np.array([measured, expected])),
    ),
  )


def _triangle_claim(dataset: "xr.Dataset") -> Claim:
  one = dataset["equal_W"].sel(equal=TRIANGLE_AT, method="nearest")
  W = one.transpose("hidden", "feature").values.astype(float)
  W = W / np.linalg.norm(W, axis=0)
  cosines = (W.T @ W)[np.triu_indices(3, 1)]
  return Claim(
    "three equally important dense features share two dimensions as a triangle, which is none of "
    f"the paper's four solutions: cosines in the optimum at p = {float(one['equal']):.2f}",
    ", ".join(f"{c:.3f}" for c in cosines),
    f"each −1/2 ± {COSINE_TOLERANCE:g}",
    verdict(bool(np.all(np.abs(cosines + 0.5) <= COSINE_TOLERANCE))),
  )
