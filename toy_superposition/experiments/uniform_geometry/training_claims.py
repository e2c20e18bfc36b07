"""What longer training does to the lines, and the kurtosis of inputs to superposition."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from toy_superposition.experiments.experiment import Claim, verdict
from toy_superposition.experiments.uniform_geometry.lines import (
  CLUSTER_WIDTH,
  COUNTED,
  FRACTIONS,
  alternatives,
  near_fraction,
)

if TYPE_CHECKING:
  import xarray as xr

ERRORS = 2.0  # binomial standard errors of a difference of two shares
# Spearman's correlation of five laws in order: one pair of neighbours may be exchanged (.9). By
# chance alone as many are in 5 of 120 orders.
RANK = 0.9


def claims(dataset: "xr.Dataset", large: bool) -> list[Claim]:
  """Returns the verdicts; `dataset` is in the order of density."""
  return [_longer_claim(dataset, large), _kurtosis_claim(dataset, large)]


def _longer_claim(dataset: "xr.Dataset", large: bool) -> Claim:
  density = dataset["shorter_density"].values
  full = dataset["feature_dimensionality"].isel(restart=0).reindex(density=density)
  shorter = dataset["shorter_dimensionality"].transpose("share_of_steps", "line", "feature")
  lengths = [*shorter.values, full.transpose("density", "feature").values]
  counts, hits = [], []  # by length and density
  for D in lengths:
    counted = D >= COUNTED
    counts.append(counted.sum(axis=-1))
    hits.append((counted & near_fraction(D, CLUSTER_WIDTH)).sum(axis=-1))
  n, k = np.array(counts), np.array(hits)
  change, error = _change(k[[0, -1]], n[[0, -1]])
  total, total_error = _change(k[[0, -1]].sum(axis=1), n[[0, -1]].sum(axis=1))
  falls = (change < -ERRORS * error).any()
  settled = bool(falls or abs(total) > ERRORS * total_error)
  pooled = " → ".join(
    f"{a / max(b, 1):.0%}" for a, b in zip(k.sum(axis=1), n.sum(axis=1), strict=True)
  )
  each = ", ".join(f"{1 / p:.2f}: {d:+.0%}" for p, d in zip(density, change, strict=True))
  shares = ", ".join(f"{s:.3g}" for s in (*dataset["share_of_steps"].values.tolist(), 1))
  present = bool(np.isfinite(lengths).all())
  return Claim(
    f"longer training sharpens the lines: share of dimensionalities ≥ {COUNTED:g} within "
    f"{CLUSTER_WIDTH:g} of {alternatives(list(FRACTIONS))}, after {shares} of the steps, at the "
    "densities in the middle of the paper's lines",
    f"{pooled} of all; by 1/(1−S): {each}" if present else "–",
    f"rises, and falls at no density, by {ERRORS:g} binomial standard errors",
    verdict(bool(total > 0 and not falls), decided=large and present and settled),
  )


def _change(
  hits: Int[np.ndarray, "..."], of: Int[np.ndarray, "..."]
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
  """Returns the second share along the first axis minus the first one, and its standard error with
  the pooled share."""
  share = hits / np.maximum(of, 1)
  pooled = hits.sum(axis=0) / np.maximum(of.sum(axis=0), 1)
  error = np.sqrt(pooled * (1 - pooled) * (1 / np.maximum(of, 1)).sum(axis=0))
  return np.asarray(share[1] - share[0]), np.asarray(error)


def _kurtosis_claim(dataset: "xr.Dataset", large: bool) -> Claim:
  from scipy.stats import spearmanr

  cells = dataset[["law_kurtosis", "law_represented"]].sortby("law_kurtosis")
  kurtosis, represented = cells["law_kurtosis"].values, cells["law_represented"].values
  present = bool(np.isfinite(represented).all())
  varied = present and np.ptp(represented) > 0
  rank = float(spearmanr(kurtosis, represented).statistic) if varied else 0.0
  listed = ", ".join(
    f"{name} ({a:.1f}): {b:.2f}"
    for name, a, b in zip(cells["law"].values, kurtosis, represented, strict=True)
  )
  x = 1 / float(dataset["density"].min())
  return Claim(
    f"the higher the kurtosis of inputs at one density, 1/(1−S) = {x:g}, the more features share a "
    "dimension: represented features per dimension, by law of the active values (kurtosis)",
    f"{listed}; rank correlation {rank:.2f}" if present else "–",
    f"rank correlation ≥ {RANK:g} (Scherlis et al.: kurtosis drives polysemanticity)",
    verdict(rank >= RANK - 1e-9, decided=large and present),
  )
