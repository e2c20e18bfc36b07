"""Whether each of two sets is orthogonal, in the dimensions that both share.

Paper, section "Correlated and Anticorrelated Features".
"""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments import restarts
from toy_superposition.experiments.experiment import REPORTED, Claim, verdict

if TYPE_CHECKING:
  import xarray as xr

SPARSE = (0.01, 0.05)  # densities at which the statements were verified; the paper names none
WITHIN = 0.08  # largest |W_i · W_j| of an almost orthogonal set
NORM_TOLERANCE = 0.05  # around 1
CROSS_TOLERANCE = 0.05  # of ‖C‖_F², relative to the number of dimensions
D_TOLERANCE = 0.02  # around 1/2


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the paper's statement."""
  dataset = dataset if "restart" in dataset.dims else dataset.expand_dims("restart")
  low, high = SPARSE
  p = dataset["density"].values
  sparse = dataset.isel(density=np.flatnonzero((p >= low * 0.999) & (p <= high * 1.001)))
  m = dataset.sizes["hidden"]
  cross = (dataset["cross_block"] ** 2).sum(["first", "second"])
  deviation = abs(dataset["feature_norm"] - 1).max("feature")
  D = dataset["feature_dimensionality"].mean("feature")
  rows = [
    (
      "each of two sets is almost orthogonal: largest |W_i · W_j| within a set",
      dataset["within_sets"],
      0.0,
      WITHIN,
    ),
    (
      "all features of both sets have norm 1: largest |‖W_i‖ − 1|",
      deviation,
      0.0,
      NORM_TOLERANCE,
    ),
    (
      "both sets use all dimensions: ‖C‖_F² of the block C of WᵀW between the sets",
      cross,
      float(m),
      CROSS_TOLERANCE * m,
    ),
    ("mean dimensionality of a feature in two sets is 1/2", D, 0.5, D_TOLERANCE),
  ]
  return [
    *(_claim(sparse, *row) for row in rows),
    _spectrum_claim(sparse),
    _dense_claim(dataset),
  ]


def _claim(
  sparse: "xr.Dataset", statement: str, values: "xr.DataArray", ideal: float, tolerance: float
) -> Claim:
  """Returns the verdict on a number of the best restart at every sparse density."""
  cells = sparse.assign(value=values.sel(density=sparse["density"]))
  best = restarts.best(cells)["value"].values
  by_density = cells["value"].transpose("density", "restart").values
  listed = ", ".join(f"{x:g}" for x in sparse["density"].values)
  spread = "; ".join(f"{row.min():.3f}–{row.max():.3f}" for row in by_density)
  return Claim(
    f"{statement} (p = {listed})",
    f"{', '.join(f'{x:.3f}' for x in best)} (all restarts: {spread})",
    f"{ideal:g} ± {tolerance:g}",
    verdict(bool(np.all(np.abs(best - ideal) <= tolerance)), decided=len(best) > 0),
  )


def _spectrum_claim(sparse: "xr.Dataset") -> Claim:
  """One basis is a rotation of the other, and not its mirror image feature by feature."""
  best = restarts.best(sparse)
  singular, C = best["cross_singular_values"].values, best["cross_block"].values
  spectrum = f"{singular.min():.2f}–{singular.max():.2f}" if singular.size else "–"
  entries = f"{C.min():.2f} to {C.max():.2f}" if C.size else "–"
  return Claim(
    "one set's basis is a rotation of the other's, not its mirror image: singular values and "
    "entries of the block C of WᵀW between the sets",
    f"singular values {spectrum}; entries {entries}",
    "singular values near 1 (verified: .95–1.18); entries not near −1 (verified: −.87 to .44)",
    REPORTED,
  )


def _dense_claim(dataset: "xr.Dataset") -> Claim:
  best = restarts.best(dataset)
  dense = best.isel(density=int(np.argmax(best["density"].values)))
  norm, singular = float(dense["feature_norm"].min()), float(dense["cross_singular_values"].min())
  return Claim(
    f"two sets at the highest density (p = {float(dense['density']):g}): smallest norm, and "
    "smallest singular value of the block C of WᵀW between the sets",
    f"norm {norm:.2f}, singular value {singular:.2f}",
    "at p = .2: one weak feature, a block of rank 9 of 10",
    REPORTED,
  )
