"""Which arrangement of five features is best, where it changes, and how the pentagon gives way.

Paper, section "The Geometry of Superposition", non-uniform superposition.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from toy_superposition.experiments import restarts
from toy_superposition.experiments.experiment import REPORTED, Claim, verdict
from toy_superposition.experiments.nonuniform_density import theory
from toy_superposition.experiments.nonuniform_density.analysis import (
  AXIS,
  DIGONS,
  PAPER_RATIO,
  PENTAGON,
  branch_crossing,
)
from toy_superposition.geometry.orientation import angles, gaps

if TYPE_CHECKING:
  import xarray as xr

BASELINE = 0.05  # p, density of the other features, at which the numbers below hold
PENTAGON_FROM, DIGONS_TO = 0.32, 0.22  # ρ on either side of the change
VERIFIED_RATIO = 0.27  # ρ at which an independent computation has the arrangements change
RATIO_TOLERANCE = 0.03  # absolute, of either ρ
MIN_FITS = 10  # restarts among which the best is looked for
NEAR = 0.03  # |log10| within which a ρ of the sweep stands for another
FINE = 1.25  # largest ratio of neighbouring ρ between which a crossing is interpolated
KINK = 0.2  # minimum relative change of slope at the crossing
NORM, NORM_TOLERANCE, GAP_TOLERANCE = 1.13, 0.02, 2  # of the regular pentagon; gaps in degrees
COEXIST = (0.18, 0.75)  # ρ around the change at which both arrangements are minima
GRADIENT = 1e-4  # norm of the gradient up to which a point is stationary
# An eigenvalue of the Hessian up to which it is 0: ten times the round-off of gradients, 1e-7 times
# the root of 15, over twice the step of 3e-3.
FLAT = 6e-4
CLOSED_FORM_TOLERANCE = 0.01  # relative, of the digons' loss


def around(W: Float[np.ndarray, "2 feature"]) -> tuple[float, float]:
  """Returns the angles between feature 0 and its two neighbours in degrees, smaller one first."""
  turn = (angles(W)[1:] - angles(W)[0]) % 360
  low, high = sorted((turn.min(), 360 - turn.max()))
  return float(low), float(high)


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the paper's statements, from trained models and exact losses."""
  dataset = dataset.sortby(AXIS).transpose(AXIS, ...)
  best = restarts.best(dataset)
  base = float(dataset["feature_density"].isel({AXIS: 0, "feature": 1}).values.flat[0])
  at_baseline = abs(base - BASELINE) < 1e-6
  return [
    *_arrangement_claims(dataset, best, at_baseline),
    *_crossing_claims(dataset, best, at_baseline),
    _coexistence_claim(dataset, at_baseline),
    *_regular_claims(dataset, best, at_baseline),
    *_gap_claims(best, at_baseline),
    _closed_form_claim(dataset),
  ]


def _arrangement_claims(
  dataset: "xr.Dataset", best: "xr.Dataset", at_baseline: bool
) -> list[Claim]:
  """Which arrangement the best fit has, on either side of the change."""
  enough = dataset.sizes.get("restart", 1) >= MIN_FITS
  ratio = best[AXIS].values
  rows = []
  for statement, kind, chosen in (
    (
      f"ρ ≥ {PENTAGON_FROM}: the best fit is a pentagon of all five features",
      PENTAGON,
      ratio >= PENTAGON_FROM,
    ),
    (
      f"ρ ≤ {DIGONS_TO}: the best fit is two digons, without feature 0",
      DIGONS,
      ratio <= DIGONS_TO,
    ),
  ):
    holds = best["arrangement"].values[chosen] == kind
    share = (dataset["arrangement"].values[chosen] == kind).mean()
    rows.append(
      Claim(
        statement,
        f"{holds.sum()} of {holds.size} ρ; {share:.0%} of all fits at these ρ",
        "all ρ",
        verdict(holds.all(), decided=at_baseline and holds.size > 0 and enough),
      )
    )
  return rows


def _crossing_claims(dataset: "xr.Dataset", best: "xr.Dataset", at_baseline: bool) -> list[Claim]:
  """Where the two arrangements are equally good, and that the loss has a kink there."""
  at, k = branch_crossing(dataset)
  ratio, loss = dataset[AXIS].values, best["loss"].values
  fine = at_baseline and k >= 0 and float(np.max(ratio[1:] / ratio[:-1])) <= FINE
  measured = f"ρ = {at:.3f}, {1 / at:.1f} times sparser"
  difference = (dataset["pentagon_loss_at_paper"] - dataset["digons_loss_at_paper"]).values
  baseline, _ = theory.crossing(dataset["baseline"].values, difference)
  left = right = np.nan
  if 2 <= k < len(ratio) - 3:
    slope = np.diff(loss) / np.diff(ratio)
    left, right = slope[k - 1], slope[k + 1]
  return [
    Claim(
      "exact losses of pentagon and digons cross where an independent computation has it",
      measured,
      f"ρ = {VERIFIED_RATIO} ± {RATIO_TOLERANCE}",
      verdict(abs(at - VERIFIED_RATIO) <= RATIO_TOLERANCE, decided=fine),
    ),
    Claim(
      "exact losses of pentagon and digons cross where the paper says: 2.5 times sparser",
      measured,
      f"2.5 times sparser: ρ = {PAPER_RATIO} ± {RATIO_TOLERANCE}",
      verdict(abs(at - PAPER_RATIO) <= RATIO_TOLERANCE, decided=fine),
    ),
    Claim(
      "density of the other features at which pentagon and digons cross at the paper's ρ = .4",
      f"p = {baseline:.3f}",
      f"the paper states p = {BASELINE}",
      REPORTED,
    ),
    Claim(
      "pentagon gives way to digons by a first-order change: slopes of the best fit's loss on its "
      "two sides",
      f"{left:.4f} → {right:.4f} per unit of ρ",
      f"slopes differ by > {KINK:.0%}",
      verdict(abs(right / left - 1) > KINK, decided=fine and bool(np.isfinite(right / left))),
    ),
  ]


def _coexistence_claim(dataset: "xr.Dataset", at_baseline: bool) -> Claim:
  """A first-order change needs two minima at once; the one symmetry is rotation."""
  ratio = dataset[AXIS].values
  near = dataset.sel({AXIS: (ratio >= COEXIST[0]) & (ratio <= COEXIST[1])})
  stay = np.isfinite((near["pentagon_loss"] + near["digons_loss"]).values)
  curvature = near["branch_curvature"].transpose(AXIS, "branch", "direction").values
  gradient = near["branch_gradient"].values
  zero, second = np.abs(curvature[..., 0]), curvature[..., 1]
  holds = stay.all() and (gradient <= GRADIENT).all() and (zero <= FLAT).all()
  lowest = ", ".join(
    f"{name} {second[:, k].min(initial=np.inf):.4f}"
    for k, name in enumerate(near["branch"].values.tolist())
  )
  return Claim(
    f"pentagon and digons are both local minima at every ρ from {COEXIST[0]:g} to {COEXIST[1]:g}: "
    "smallest eigenvalue of the Hessian but that of a rotation, which is 0",
    f"{lowest}; rotation at most {zero.max(initial=0):.0e}, gradient "
    f"{gradient.max(initial=0):.0e}; {int(stay.sum())} of {stay.size} ρ",
    f"> {FLAT:.0e}; rotation ≤ {FLAT:.0e}, gradient ≤ {GRADIENT:.0e}",
    verdict(holds and (second > FLAT).all(), decided=at_baseline and stay.size > 0),
  )


def _pentagon_at(best: "xr.Dataset", ratio: float, at_baseline: bool) -> tuple["xr.Dataset", bool]:
  """Returns the best fit at the ρ nearest to `ratio`, and whether it can decide a claim about the
  pentagon there."""
  cell = best.sel({AXIS: ratio}, method="nearest")
  near = abs(np.log10(float(cell[AXIS]) / ratio)) <= NEAR
  return cell, bool(at_baseline and near and int(cell["arrangement"]) == PENTAGON)


def _regular_claims(dataset: "xr.Dataset", best: "xr.Dataset", at_baseline: bool) -> list[Claim]:
  """The pentagon where all densities are equal, and two relations of its norm and bias."""
  cell, decided = _pentagon_at(best, 1.0, at_baseline)
  W, b = cell["W"].values, cell["b"].values
  norm, between = np.linalg.norm(W, axis=0), gaps(W)
  fits = dataset["arrangement"].sel({AXIS: float(cell[AXIS])})
  regular = bool(
    np.all(np.abs(norm - NORM) <= NORM_TOLERANCE) and np.all(np.abs(between - 72) <= GAP_TOLERANCE)
  )
  printed = np.abs(norm - 1 / (1 - b)).max()
  return [
    Claim(
      "ρ = 1: the best fit is a regular pentagon",
      f"norms {norm.min():.3f}–{norm.max():.3f}, gaps {between.min():.1f}–{between.max():.1f}°; "
      f"pentagons: {restarts.count(fits == PENTAGON)}",
      "norms 1.13 ± .02, gaps 72 ± 2°",
      verdict(regular, decided=decided),
    ),
    Claim(
      "ρ = 1: the pentagon's norms are as the paper prints them, ‖W_i‖ = 1/(1 − b_i)",
      f"‖W‖ = {norm.mean():.3f}, 1/(1 − b) = {(1 / (1 - b)).mean():.3f}",
      "‖W‖ = 1/(1 − b) ± .02",
      verdict(printed <= NORM_TOLERANCE, decided=decided),
    ),
    Claim(
      "ρ = 1: the pentagon's norms are within bounds (independently verified), "
      "1 − b < ‖W‖² < 1/(1 + b)",
      f"{(1 - b).mean():.3f} < {(norm**2).mean():.3f} < {(1 / (1 + b)).mean():.3f}",
      "1 − b < ‖W‖² < 1/(1 + b)",
      verdict(bool(np.all((1 - b < norm**2) & (norm**2 < 1 / (1 + b)))), decided=decided),
    ),
  ]


def _gap_claims(best: "xr.Dataset", at_baseline: bool) -> list[Claim]:
  """How the pentagon gives way where feature 0 is denser or sparser."""
  rows = []
  for ratio, statement, sign in (
    (3.0, "neighbours move away from a denser feature 0", 1),
    (0.5, "neighbours move towards a sparser feature 0", -1),
  ):
    cell, decided = _pentagon_at(best, ratio, at_baseline)
    low, high = around(cell["W"].values)
    rows.append(
      Claim(
        f"{statement} (ρ = {float(cell[AXIS]):.2g}): gaps on its two sides",
        f"{low:.1f}°, {high:.1f}°",
        f"both {'>' if sign > 0 else '<'} 72°",
        verdict(min(sign * (low - 72), sign * (high - 72)) > 0, decided=decided),
      )
    )
  return rows


def _closed_form_claim(dataset: "xr.Dataset") -> Claim:
  excess = (dataset["digons_closed_form"] / dataset["digons_loss"] - 1).values
  largest = np.nanmax(np.abs(excess), initial=0)
  return Claim(
    "closed form of two digons' loss, 2p²/3 + ρp/3 − (ρp)²/4, agrees with the exact minimum",
    f"at most {largest:.2%} apart, at {np.isfinite(excess).sum()} ρ",
    f"≤ {CLOSED_FORM_TOLERANCE:.0%} apart",
    verdict(largest <= CLOSED_FORM_TOLERANCE, decided=bool(np.isfinite(excess).any())),
  )
