"""Whether density alone, and not the number of features, decides what training finds.

Paper, section "The Geometry of Superposition": the number of features n does not matter if it is
much larger than the number of dimensions m; only their density does.
"""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.experiment import REPORTED, Claim, verdict
from toy_superposition.experiments.feature_count.analysis import (
  CONVERGED,
  MANY,
  converged,
  many,
  ordered,
)

if TYPE_CHECKING:
  import xarray as xr

# A number changes if its change is larger than this share of the value, and than this multiple of
# the median range over seeds: by chance alone the range of four means of two seeds is so large in
# one of twenty cases.
CHANGE, RANGES = 0.05, 3
MIN_LARGEST = 1000  # features of the largest model, below which the sweep is too short to decide


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the paper's statement, from the models of all sizes."""
  dataset = ordered(dataset)
  wide = many(dataset)
  settled = wide & converged(dataset)
  large = bool(dataset["n"].max() >= MIN_LARGEST)
  D, saved = dataset["dimensions_per_feature"], dataset["loss_saved"]
  cells = {"converged models": settled, "all models": wide}
  if bool((settled == wide).all()):
    del cells["converged models"]
  numbers = {"D*": D, "loss saved per dimension": saved}
  return [
    *(
      _change_claim(what, value, chosen, which, large)
      for which, chosen in cells.items()
      for what, value in numbers.items()
    ),
    _density_claim(D, settled, large),
    _ratio_claim(D, settled, large),
    _padding_claim(dataset),
    _convergence_claim(dataset),
    _cost_claim(dataset),
  ]


def _tolerance(value: "xr.DataArray", chosen: "xr.DataArray") -> float:
  """Returns the largest relative change that chance alone may cause."""
  mean = value.mean("restart")
  ranges = ((value.max("restart") - value.min("restart")) / mean).where(chosen)
  median = float(ranges.median()) if bool(ranges.notnull().any()) else 0.0
  return max(CHANGE, RANGES * median)


def _change(mean: "xr.DataArray", dim: str) -> "xr.DataArray":
  """Returns (largest − smallest) / mean along a dimension; nan with fewer than two values."""
  change = (mean.max(dim) - mean.min(dim)) / mean.mean(dim)
  return change.where(mean.notnull().sum(dim) >= 2)


def _listed(values: "xr.DataArray") -> str:
  """Returns the numbers of an array (m, density) in words, by m and density."""
  parts = []
  for m in values["m"].values:
    cells = [
      f"{float(cell):.1%} (p = {float(cell['density']):g})"
      for cell in values.sel(m=m)
      if np.isfinite(cell)
    ]
    parts += [f"m = {m}: {', '.join(cells)}"] if cells else []
  return "; ".join(parts) or "no two sizes to compare"


def _change_claim(
  what: str, value: "xr.DataArray", chosen: "xr.DataArray", which: str, large: bool
) -> Claim:
  """Returns the verdict on a number at fixed m and density, over n."""
  change = _change(value.mean("restart").where(chosen), "n")
  tolerance = _tolerance(value, chosen)
  decided = large and bool(change.notnull().any())
  return Claim(
    f"{what} at fixed m and density is the same at all n ≥ {MANY} m ({which}): range over n / mean",
    _listed(change),
    f"≤ {tolerance:.1%} (5 %, or {RANGES} median ranges over seeds)",
    verdict(bool((change.fillna(0) <= tolerance).all()), decided=decided),
  )


def _density_claim(D: "xr.DataArray", chosen: "xr.DataArray", large: bool) -> Claim:
  """Returns the verdict on the ranges of D* over all sizes, which no two densities share."""
  cells = D.mean("restart").where(chosen)
  low, high = cells.min(("m", "n")), cells.max(("m", "n"))
  filled = low.notnull().values
  separate = low.values[:-1] > high.values[1:]  # density descends, and D* with it
  p = low["density"].values
  measured = ", ".join(
    f"{a:.3f}–{b:.3f} (p = {q:g})"
    for a, b, q in zip(low.values, high.values, p, strict=True)
    if np.isfinite(a)
  )
  return Claim(
    "density decides D*: its range over all model sizes (converged models), by density",
    measured or "none has converged",
    "ranges that do not overlap, lower where features are rarer",
    verdict(bool(separate.all()), decided=large and bool(filled.all()) and len(p) > 1),
  )


def _ratio_claim(D: "xr.DataArray", chosen: "xr.DataArray", large: bool) -> Claim:
  """Returns the verdict on D* at fixed n / m, over m."""
  import xarray as xr

  mean = D.mean("restart").where(chosen)
  lines = [mean.sel(m=m).assign_coords(n=mean["n"] / m).rename(n="ratio") for m in mean["m"].values]
  change = _change(xr.concat(lines, dim="m", join="outer"), "m")
  tolerance = _tolerance(D, chosen)
  changes = [
    f"{float(cell):.1%} (n = {float(cell['ratio']):g} m, p = {float(cell['density']):g})"
    for row in change.transpose("ratio", "density")
    for cell in row
    if np.isfinite(cell)
  ]
  return Claim(
    "D* at fixed n / m does not depend on m (converged models): range over m / mean",
    ", ".join(changes) or "no two sizes to compare",
    f"≤ {tolerance:.1%} (5 %, or {RANGES} median ranges over seeds)",
    verdict(bool((change.fillna(0) <= tolerance).all()), decided=large and bool(changes)),
  )


def _padding_claim(dataset: "xr.Dataset") -> Claim:
  """Reports by how much the best model of fewer features surpasses the best at the largest n.

  Features with W_i = 0 change no other output, so a model of fewer features saves the same loss at
  every n: where it saves more, training depends on n, and not the optimum. Restart and n are chosen
  on some examples, and compared on others.
  """
  judged = dataset["judged_saved"]
  judged = judged.isel(restart=0) if "restart" in judged.dims else judged
  most = dataset["loss_saved"].max("restart").fillna(-np.inf).argmax("n")
  gap = judged.isel(n=most) / judged.isel(n=-1) - 1
  return Claim(
    "excess of the loss saved by the best model of fewer features, padded with absent ones, over "
    f"that of the best model trained at n = {int(judged['n'][-1])}",
    _listed(gap),
    "> 0 where training depends on n: the optimum can only gain from more features",
    REPORTED,
  )


def _convergence_claim(dataset: "xr.Dataset") -> Claim:
  share = dataset["absent_share"].max("restart")
  parts = []
  for m in share["m"].values:
    line = share.sel(m=m).max("density")
    parts.append(f"m = {m}: " + ", ".join(f"{float(s):.1%} (n = {int(s['n'])})" for s in line))
  return Claim(
    "share of ‖W‖² that absent features hold after training, maximum over densities and seeds",
    "; ".join(parts),
    f"≤ {CONVERGED:.0%} once training has converged",
    REPORTED,
  )


def _cost_claim(dataset: "xr.Dataset") -> Claim:
  """Reports how the wall time of a step grows with n."""
  # The models of a group share their wall time.
  seconds = dataset["step_seconds"].isel(density=0, restart=0)
  parts = []
  for m in seconds["m"].values:
    line = seconds.sel(m=m).dropna("n")
    if line.size < 2:
      continue
    last = line.isel(n=slice(-2, None))
    slope = float(np.diff(np.log(last.values))[0] / np.diff(np.log(last["n"].values))[0])
    parts.append(f"m = {m}: {1e3 * float(last[-1]):.2g} ms, exponent {slope:.2f}")
  return Claim(
    "wall time per step and instance at the largest n, and its exponent over the last two n",
    "; ".join(parts) or "not timed",
    "exponent 1: work proportional to the number of features",
    REPORTED,
  )
