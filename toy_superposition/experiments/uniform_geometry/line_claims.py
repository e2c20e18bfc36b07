"""The ends of the paper's figure: D* = 1 where features are dense, the line at 0, the continuum."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.experiment import Claim, verdict
from toy_superposition.experiments.uniform_geometry.lines import (
  CLUSTER_CONTRAST,
  CLUSTER_DISTANCE,
  CLUSTER_FEATURES,
  CLUSTER_WIDTH,
  COUNTED,
  FRACTIONS,
  NEAR_LINE,
  alternatives,
  counted,
  is_cluster,
  near_fraction,
)
from toy_superposition.geometry.definitions import is_represented_norm

if TYPE_CHECKING:
  import xarray as xr

STICKY, STICKY_DENSITIES = 0.03, 3  # as for D* = 1/2; the published curve has five at D* = 1
BEFORE, AFTER = 5.0, 6.0  # 1/(1 − S): the paper's figure has lines up to about 5.2


def claims(dataset: "xr.Dataset", large: bool) -> list[Claim]:
  """Returns the verdicts; `dataset` is in the order of density."""
  return [
    _dense_claim(dataset, large),
    _zero_claim(dataset, large),
    _continuum_claim(dataset, large),
  ]


def _dense_claim(dataset: "xr.Dataset", large: bool) -> Claim:
  lines = dataset["dimensions_per_feature"].transpose("density", "restart").values
  counts = (np.abs(lines - 1) <= STICKY).sum(axis=0)
  return Claim(
    "D* stays at 1 over several densities at the dense end: number of densities at which it is "
    f"within {STICKY:g} of 1, by seed",
    ", ".join(map(str, counts)),
    f"≥ {STICKY_DENSITIES}",
    verdict(bool((counts >= STICKY_DENSITIES).all()), decided=large),
  )


def _zero_claim(dataset: "xr.Dataset", large: bool) -> Claim:
  """Absent features have no dimensions. D_i is never negative, so their line has one side only."""
  D = dataset["feature_dimensionality"].transpose("density", "restart", "feature").values
  norm = dataset["feature_norm"].transpose("density", "restart", "feature").values
  absent = ~is_represented_norm(norm)
  spare = np.any(absent, axis=(1, 2))
  lines = np.array([all(is_cluster(seed, 0.0) for seed in cell) for cell in D], bool)[spare]
  inverse = 1 / dataset["density"].values[spare]
  missed = ", ".join(f"{x:.2f}" for x in inverse[~lines])
  share = (D[absent] <= CLUSTER_WIDTH).mean() if absent.any() else np.nan
  return Claim(
    "dimensionalities cluster at 0, where absent features are, at every density",
    f"in every seed at {lines.sum()} of {len(lines)} densities"
    + (f"; not at 1/(1−S) = {missed}" if missed else "")
    + f"; {share:.0%} of all absent features are within {CLUSTER_WIDTH:g} of 0",
    f"≥ {CLUSTER_FEATURES} features within {CLUSTER_WIDTH:g}, ≥ {CLUSTER_CONTRAST} × those "
    f"{CLUSTER_DISTANCE:g} away, wherever some are absent",
    verdict(bool(lines.all()), decided=large and len(lines) > 0),
  )


def _continuum_claim(dataset: "xr.Dataset", large: bool) -> Claim:
  """Lines end: rank order alone, since the paper gives no number."""
  D = dataset["feature_dimensionality"].transpose("density", "restart", "feature").values
  chosen = counted(dataset)
  near = chosen & near_fraction(D, NEAR_LINE)
  inverse = 1 / dataset["density"].values
  shares = []
  for part in (inverse < BEFORE, inverse > AFTER):
    of_seed = chosen[part].sum(axis=(0, 2))
    hits = near[part].sum(axis=(0, 2))
    shares.append(np.where(of_seed > 0, hits / np.maximum(of_seed, 1), np.nan))
  lines, smear = shares
  decided = bool(np.isfinite(lines + smear).all())
  listed = ", ".join(f"{a:.0%} → {b:.0%}" for a, b in zip(lines, smear, strict=True))
  names = alternatives(list(FRACTIONS))
  return Claim(
    f"lines end in a continuum: share of dimensionalities ≥ {COUNTED:g} within {NEAR_LINE:g} of "
    f"{names}, from 1/(1−S) < {BEFORE:g} (models with D* < .95) to > {AFTER:g}, by seed",
    listed if decided else "–",
    "smaller in every seed",
    verdict(bool((smear < lines).all()), decided=large and decided),
  )
