"""What trained models show of the phase change, against the true optimum and the closed forms.

Paper, section "Superposition as a Phase Change".
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.experiment import REPORTED, Claim, verdict
from toy_superposition.experiments.phase_change import line_claims
from toy_superposition.experiments.phase_change.analysis import AT_OPTIMUM, NEAR_EQUAL, NO_PHASE
from toy_superposition.experiments.phase_plane import PLANE, boundary, boundary_at
from toy_superposition.theory import phase_change as theory

if TYPE_CHECKING:
  import xarray as xr

AGREEMENT = {2: 0.99, 3: 0.95}  # minimum share of cells, by number of features
BOUNDARY_TOLERANCE = 0.08  # relative, of the density at which superposition begins
JUMP_AT, JUMP_CELLS = 0.2, 1.5  # relative importance; largest ratio of neighbouring densities
JUMP = (0.1, 0.6)  # the extra feature's norm is below the first and above the second number


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the paper's statements."""
  n = dataset.sizes["feature"]
  rows = [_agreement_claim(dataset, n), *_boundary_claims(dataset, n), _jump_claim(dataset)]
  if n == 2:
    rows.append(_symmetry_claim(dataset))
  else:
    rows.append(_dedicated_claim(dataset))
  rows += line_claims.claims(dataset)
  for name, statement in (
    ("agreement_mean_optimum", "restarts averaged by the paper's rule show the optimum's phase"),
    ("agreement_best_closed_form", "the best restart shows the phase of the closed forms"),
    ("agreement_closed_form_optimum", "the closed forms show the optimum's phase"),
  ):
    measured = f"{float(dataset[name]):.1%}"
    rows.append(Claim(f"share of cells in which {statement}", measured, "", REPORTED))
  unknown = int((dataset["best_phase"] == NO_PHASE).sum())
  if unknown:
    rows.append(Claim("cells in which no restart is finite", str(unknown), "", REPORTED))
  excess = dataset["best_loss"] / dataset["optimum_loss"] - 1
  share = float(dataset["share_of_restarts_at_optimum"].mean())
  measured = f"median {float(excess.median()):.2%}, worst {float(excess.max()):.2%}"
  return [
    *rows,
    Claim("excess of the best restart's loss over the true optimum", measured, "", REPORTED),
    Claim(
      f"share of restarts whose loss is within {AT_OPTIMUM:.0%} of the true optimum",
      f"{share:.0%}",
      "",
      REPORTED,
    ),
  ]


def _agreement_claim(dataset: "xr.Dataset", n: int) -> Claim:
  name = "agreement_best_optimum" if n == 2 else "agreement_best_optimum_away"
  cells = "all cells" if n == 2 else f"cells with |log10 r| > {NEAR_EQUAL}"
  share = float(dataset[name])
  return Claim(
    f"share of cells in which the best restart shows the optimum's phase ({cells})",
    f"{share:.1%}",
    f"≥ {AGREEMENT[n]:.0%}",
    verdict(share >= AGREEMENT[n], decided=bool(np.isfinite(share))),
  )


def _boundary_claims(dataset: "xr.Dataset", n: int) -> list[Claim]:
  """Where superposition begins, at the relative importances whose true boundary is known."""
  known = np.array(list(theory.TRUE_BOUNDARY))
  true = np.array(list(theory.TRUE_BOUNDARY.values()))
  _, factor = boundary(dataset["best_phase"])
  rows = []
  for side, r in (("less", known), ("more", 1 / known)):
    if side == "more" and n == 3:
      continue  # the extra feature is then always dedicated
    measured = boundary_at(dataset["best_phase"], r.tolist())
    error = np.abs(measured / true - 1)
    listed = ", ".join(f"{number:g}" for number in r)
    rows.append(
      Claim(
        f"density at which superposition begins, for an extra feature {side} important than the "
        f"other{'s' if n > 2 else ''} (r = {listed})",
        ", ".join(f"{p:.3f}" for p in measured),
        f"{', '.join(f'{p:.3f}' for p in true)}, each ±{BOUNDARY_TOLERANCE:.0%}",
        verdict(
          bool(np.all(error <= BOUNDARY_TOLERANCE)),
          decided=factor <= 1 + BOUNDARY_TOLERANCE and bool(np.isfinite(error).all()),
        ),
      )
    )
  return rows


def _jump_claim(dataset: "xr.Dataset") -> Claim:
  """The change is of first order: the norm jumps between two neighbouring densities."""
  column = dataset["best_norm"].sortby("density").sel({PLANE[0]: JUMP_AT}, method="nearest")
  r, norm, density = float(column[PLANE[0]]), column.values, column["density"].values
  steps = np.flatnonzero((norm[:-1] >= theory.NORM_THRESHOLD) & (norm[1:] < theory.NORM_THRESHOLD))
  # Between cells far apart, or at another r, a slope would pass for a jump.
  ratio = float(np.max(density[1:] / density[:-1], initial=1))
  fine = ratio <= JUMP_CELLS and abs(math.log10(r / JUMP_AT)) < 0.1
  below, above = (norm[steps[-1]], norm[steps[-1] + 1]) if len(steps) else (np.nan, np.nan)
  return Claim(
    f"the extra feature appears abruptly: its norm on the two sides of the boundary, r = {r:.2f}",
    f"{above:.2f} → {below:.2f}",
    f"< {JUMP[0]} → > {JUMP[1]}",
    verdict(bool(above < JUMP[0] and below > JUMP[1]), decided=fine and len(steps) > 0),
  )


def _symmetry_claim(dataset: "xr.Dataset") -> Claim:
  """Exchanging the features turns r into 1/r: feature 0 at 1/r does what feature 1 does at r."""
  first = dataset[["feature_norm", "superposition"]].isel(feature=0)
  if "restart" in dataset.dims:
    first = first.isel(restart=dataset["best_restart"])
  first = first.transpose(*PLANE)
  phase = theory.classify(first["feature_norm"].values, first["superposition"].values)
  r = dataset[PLANE[0]].values
  mirrored = bool(np.allclose(r * r[::-1], 1))
  best = dataset["best_phase"].transpose(*PLANE).values
  share = np.mean((phase[::-1] == best)[best != NO_PHASE])
  return Claim(
    "share of cells in which the other feature at 1/r shows the phase of the extra one at r",
    f"{share:.1%}",
    f"≥ {2 * AGREEMENT[2] - 1:.0%}",
    verdict(bool(share >= 2 * AGREEMENT[2] - 1), decided=mirrored and bool(np.isfinite(share))),
  )


def _dedicated_claim(dataset: "xr.Dataset") -> Claim:
  """With n = 3, an extra feature more important than the others is never in superposition."""
  above = np.log10(dataset[PLANE[0]]) > NEAR_EQUAL
  alone = (dataset["best_superposition"] < 0.1) & (dataset["best_norm"] >= theory.NORM_THRESHOLD)
  share = float(alone.where(above).mean())
  return Claim(
    "share of cells with r > 1 in which the extra feature has a dimension to itself",
    f"{share:.1%}",
    f"≥ {AGREEMENT[3]:.0%}",
    verdict(share >= AGREEMENT[3], decided=bool(above.any())),
  )
