"""On how many features a binary neuron fires best, by closed forms and in trained neurons."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.cross_entropy_neuron import theory
from toy_superposition.experiments.cross_entropy_neuron.analysis import LOSSES
from toy_superposition.experiments.experiment import REPORTED, Claim, identity, verdict

if TYPE_CHECKING:
  import xarray as xr

EXACT, NEAR = 1e-6, 0.01  # tolerances of closed forms and of trained losses
MIN_RESTARTS = 8  # of which the best can decide


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on closed forms and trained neurons."""
  entropy, error = (dataset.sel(objective=name) for name in LOSSES)
  return [
    _entropy_claim(dataset, entropy),
    _trained_claim(entropy),
    *_error_claims(error),
    _importance_claim(entropy, error),
  ]


def _count_by_size(sizes: np.ndarray) -> str:
  return ", ".join(f"{k}: {int((sizes == k).sum())}" for k in np.unique(sizes))


def _entropy_claim(dataset: "xr.Dataset", entropy: "xr.Dataset") -> Claim:
  n = dataset.sizes["feature"]
  deviation = float(np.abs(dataset["closed_form"] - dataset["direct"]).max())
  mono, poly = float(entropy["direct"].sel(size=1)), float(entropy["direct"].sel(size=n // 2))
  return Claim(
    f"a polysemantic neuron, which fires on {n // 2} of {n} features, has a lower cross-entropy "
    f"than a neuron that fires on 1: cross-entropies on 1 and on {n // 2}",
    f"{mono:.6f} and {poly:.6f}; closed forms off by {deviation:.1g} at most",
    f"{theory.cross_entropy(n, 1):.6f} and {theory.cross_entropy(n, n // 2):.6f} ± {EXACT:g}",
    identity(deviation <= EXACT and poly < mono),
  )


def _trained_claim(entropy: "xr.Dataset") -> Claim:
  n, n_restarts = entropy.sizes["feature"], entropy.sizes["restart"]
  loss, size = entropy["trained_loss"].values, entropy["trained_size"].values
  best, half = int(np.argmin(loss)), n // 2
  least = theory.cross_entropy(n, half)
  return Claim(
    "the best of the neurons trained on cross-entropy is polysemantic",
    f"{loss[best]:.4f} firing on {size[best]}; restarts by size {_count_by_size(size)}; "
    f"worst loss {loss.max():.4f}",
    f"{least:.4f} ± {NEAR:g}, firing on {half}",
    verdict(
      bool(abs(loss[best] - least) <= NEAR and size[best] == half),
      decided=n_restarts >= MIN_RESTARTS,
    ),
  )


def _error_claims(error: "xr.Dataset") -> list[Claim]:
  n = error.sizes["feature"]
  gap = abs(float(error["direct"].sel(size=1) - error["direct"].sel(size=n // 2)))
  losses = error["trained_loss"].values
  return [
    Claim(
      "squared error does not depend on the number of features on which the neuron fires",
      f"difference {gap:.1g} between 1 and {n // 2}",
      f"< {EXACT:g} (all {theory.squared_error(n, 1):g})",
      identity(gap < EXACT),
    ),
    Claim(
      "neurons trained on squared error, by the number of features on which they fire",
      f"{_count_by_size(error['trained_size'].values)}; losses {losses.min():.4f}–"
      f"{losses.max():.4f}",
      f"{theory.squared_error(n, 1):g}, any number",
      REPORTED,
    ),
  ]


def _importance_claim(entropy: "xr.Dataset", error: "xr.Dataset") -> Claim:
  ratio = error["ratio"].values
  differ = (error["best_size"].values == 1) & (entropy["best_size"].values > 1) & (ratio < 1)
  return Claim(
    "at some ratios of neighbouring features' importances squared error prefers a neuron for one "
    "feature and cross-entropy a polysemantic neuron",
    f"ratios {ratio[differ].min():.2f}–{ratio[differ].max():.2f}" if differ.any() else "none",
    "some (source: squared error may prefer a monosemantic neuron)",
    verdict(bool(differ.any())),
  )
