"""The polytope that theory prefers at every density, against the paper's figure and training."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.experiment import REPORTED, Claim, verdict
from toy_superposition.experiments.uniform_geometry.analysis import NEAR
from toy_superposition.experiments.uniform_geometry.lines import SHOWN

if TYPE_CHECKING:
  import xarray as xr

CONTINUUM = 5.2  # from here on the paper's figure has no lines
DENSE = 1.1  # up to here all polytopes save the same within 1 %
CURVE = 0.05  # tolerance of D*, as against the published curve
ERRORS = 2.0  # standard errors of a measured saving
# The paper's densities are columns of a picture, apart by 4.8 %: the ends of a line in it are known
# to half of that.
READ_OFF = 0.5 * (10 ** (1 / 49) - 1)


def claims(dataset: "xr.Dataset", large: bool) -> list[Claim]:
  """Returns the verdicts; `dataset` is in the order of density."""
  return [
    _order_claim(dataset),
    *(_range_claim(dataset, name) for name in SHOWN),
    _margin_claim(dataset),
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
  named = [name for name in best_between(dataset) if name in SHOWN]
  labels, at, errors = (
    dataset[name].values for name in ("change", "change_inverse_density", "change_error")
  )
  listed = (
    f"{label} at 1/(1−S) = {x:.3f} ± {error:.3f}"
    for label, x, error in zip(labels, at, errors, strict=True)
  )
  return Claim(
    "as features become sparser, the polytope that makes the best use of a dimension changes in "
    "the order of the paper's lines",
    "; ".join(listed),
    f"{', '.join(SHOWN)}; all transitions apart by more than their uncertainty",
    verdict(named == list(SHOWN) and bool(np.all(np.diff(at) > errors[1:] + errors[:-1]))),
  )


def _range_claim(dataset: "xr.Dataset", name: str) -> Claim:
  """Returns the verdict on whether a polytope is best where the paper shows its line."""
  low, high = SHOWN[name]
  start, end = best_between(dataset).get(name, (np.inf, 0.0))
  overlap = np.log(min(high, end) / max(low, start)) if end > start else -np.inf
  return Claim(
    f"the paper's line of the {name} is at densities where theory prefers the {name}",
    f"best from 1/(1−S) = {start:.3f} to {end:.3f}, line from {low:g} to {high:g}",
    f"they overlap; an end of the line is known to ± {READ_OFF:.1%}",
    verdict(bool(overlap > 0), decided=abs(overlap) > READ_OFF),
  )


def _margin_claim(dataset: "xr.Dataset") -> Claim:
  frames, x = dataset["frame"].values, 1 / dataset["density"].values
  kept = range(0, len(x), max(len(x) // 10, 1))
  second = dataset["division_runner_up"].values.astype(int)
  margin = dataset["division_margin"].values
  return Claim(
    "saving per dimension by which the best polytope beats the second, by 1/(1−S), in variances of "
    "a feature",
    ", ".join(f"{x[k]:.2f}: {margin[k]:.4f} ({frames[second[k]]})" for k in kept),
    "no number is published; in brackets the second polytope",
    REPORTED,
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
  last = list(SHOWN)[-1]
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
