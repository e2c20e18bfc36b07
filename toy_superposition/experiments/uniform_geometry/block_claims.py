"""The polytope that theory prefers at every density, against the paper's figure and training."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.experiment import REPORTED, Claim, verdict
from toy_superposition.experiments.uniform_geometry.analysis import NEAR

if TYPE_CHECKING:
  import xarray as xr

# 1/(1 − S) between which the published scatter plot shows a line at the polytope's dimensionality.
# Beyond it, and above all in the continuum from 5.2 on, dimensionalities of all sizes would count
# as the line's surroundings.
SHOWN = {
  "tetrahedron": (1.17, 1.5),
  "triangle": (1.54, 1.95),
  "digon": (1.67, 4.3),
  "pentagon": (3.6, 5.0),
  "square antiprism": (4.3, 5.3),
}
CONTINUUM = 5.2  # from here on the paper's figure has no lines
DENSE = 1.1  # up to here all polytopes save the same within 1 %
CURVE = 0.05  # tolerance of D*, as against the published curve
ERRORS = 2.0  # standard errors of a measured saving


def claims(dataset: "xr.Dataset", large: bool) -> list[Claim]:
  """Returns the verdicts; `dataset` is in the order of density."""
  return [
    _order_claim(dataset),
    _ranges_claim(dataset),
    _curve_claim(dataset, large),
    _found_claim(dataset, large),
    _continuum_claim(dataset, large),
    _shortfall_claim(dataset),
  ]


def best_between(dataset: "xr.Dataset") -> dict[str, tuple[float, float]]:
  """Returns the inverse densities between which each polytope saves most per dimension."""
  names = [str(label).split(" → ") for label in dataset["change"].values]
  at = dataset["change_inverse_density"].values.tolist()
  order = [names[0][0], *(after for _, after in names)] if names else []
  ends = [1.0, *at, np.inf]
  return {name: (ends[k], ends[k + 1]) for k, name in enumerate(order)}


def _order_claim(dataset: "xr.Dataset") -> Claim:
  found = list(best_between(dataset))
  named = [name for name in found if name in SHOWN]
  changes = zip(dataset["change"].values, dataset["change_inverse_density"].values, strict=True)
  return Claim(
    "as features become sparser, the polytope that makes the best use of a dimension changes in "
    "the order of the paper's lines",
    "; ".join(f"{label} at 1/(1−S) = {x:.3f}" for label, x in changes) + " (each ± .002)",
    f"{', '.join(SHOWN)}",
    verdict(named == list(SHOWN)),
  )


def _ranges_claim(dataset: "xr.Dataset") -> Claim:
  best = best_between(dataset)
  overlap = {
    name: min(high, best[name][1]) - max(low, best[name][0])
    for name, (low, high) in SHOWN.items()
    if name in best
  }
  listed = (
    f"{name} {best[name][0]:.2f} to {best[name][1]:.2f} ({low:g} to {high:g})"
    for name, (low, high) in SHOWN.items()
    if name in best
  )
  return Claim(
    "every polytope is the best one at some density at which the paper shows its line",
    "best from 1/(1−S) = " + ", ".join(listed) + "; in brackets the paper's line",
    "the two ranges overlap for all five",
    verdict(len(overlap) == len(SHOWN) and min(overlap.values()) > 0),
  )


def _away(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the densities before the continuum that are not near a change of polytope."""
  x = 1 / dataset["density"].values
  changes = dataset["change_inverse_density"].values
  near = (np.abs(x[:, None] / changes - 1) <= NEAR).any(axis=1) & (x > DENSE)
  return dataset.isel(density=np.flatnonzero((x <= CONTINUUM) & ~near))


def _curve_claim(dataset: "xr.Dataset", large: bool) -> Claim:
  part = _away(dataset)
  found = part["dimensions_per_feature"].mean("restart")
  off = np.abs((found - part["division_dimensions_per_feature"]).values)
  where = 1 / part["density"].values
  worst = int(off.argmax()) if len(off) else 0
  measured = f"largest difference {off.max(initial=0):.3f}"
  if len(off):
    measured += f", at {where[worst]:.2f}; median {np.median(off):.3f}"
  return Claim(
    f"dimensions per feature D* of training are those of the best division, up to 1/(1−S) = "
    f"{CONTINUUM:g}",
    measured,
    f"within ± {CURVE:g} at every density farther than {NEAR:.0%} from a change of polytope",
    verdict(bool((off <= CURVE).all()), decided=large and len(off) > 2),
  )


def _between_lines(dataset: "xr.Dataset") -> tuple["xr.Dataset", np.ndarray]:
  """Returns the densities with lines, and by how much every model saves more there than the second
  best polytope would, in allowance of its standard error."""
  x = 1 / dataset["density"].values
  part = dataset.isel(density=np.flatnonzero((x > DENSE) & (x <= CONTINUUM)))
  second = np.sort(part["frame_saving"].transpose("density", "frame").values, axis=1)[:, -2]
  saved = part["saving"] + ERRORS * part["saving_error"]
  return part, saved.transpose("density", "restart").values - second[:, None]


def _found_claim(dataset: "xr.Dataset", large: bool) -> Claim:
  part, above = _between_lines(dataset)
  x, found = 1 / part["density"].values, (above > 0).all(axis=1)
  missed = ", ".join(f"{point:.2f}" for point in x[~found])
  return Claim(
    "training uses its dimensions better than the second best polytope would, at every density "
    f"with lines, 1/(1−S) from {DENSE:g} to {CONTINUUM:g}",
    f"in every seed at {found.sum()} of {len(x)} densities"
    + (f"; not at {missed}" if missed else ""),
    f"at every density and in every seed, within {ERRORS:g} standard errors",
    verdict(bool(found.all()), decided=large and len(x) > 2),
  )


def _continuum_claim(dataset: "xr.Dataset", large: bool) -> Claim:
  x = 1 / dataset["density"].values
  last = str(dataset["change"].values[-1]).split(" → ")[0]
  part = dataset.isel(density=np.flatnonzero(x >= 6))
  named = part["frame_saving"].sel(frame=last)
  gain = (part["saving"] - ERRORS * part["saving_error"] - named).transpose("density", "restart")
  values = gain.values
  return Claim(
    "where the paper shows a continuum, training uses its dimensions better than the last polytope "
    f"with a name, the {last}",
    f"more by {values.min():.3f} to {values.max():.3f} variances per dimension"
    if values.size
    else "no density",
    "more at every density from 1/(1−S) = 6 on and in every seed, by two standard errors",
    verdict(bool((values > 0).all()), decided=large and values.size > 0),
  )


def _shortfall_claim(dataset: "xr.Dataset") -> Claim:
  short = (dataset["division_saving"] - dataset["saving"]).mean("restart")
  x = 1 / dataset["density"].values
  listed = ", ".join(
    f"{x[k]:.2f}: {float(short[k]):+.4f}" for k in range(0, len(x), max(len(x) // 10, 1))
  )
  return Claim(
    "saving of the best division less that of training, by 1/(1−S), in variances of a feature per "
    "dimension",
    listed,
    "0 or less if training finds the best division or better",
    REPORTED,
  )
