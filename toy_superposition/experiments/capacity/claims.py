"""Whether trained models fill their dimensions like water."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.capacity.analysis import kurtosis
from toy_superposition.experiments.experiment import Claim, identity, verdict
from toy_superposition.experiments.restarts import with_restarts
from toy_superposition.theory.water_filling import NORMAL

if TYPE_CHECKING:
  import xarray as xr

MIN_RESTARTS = 5
DIGITS = 1e-6  # relative, of the closed form against descents on the exact loss
NEAR = 0.01  # relative excess of a trained model's exact loss, that of the certificates
# Near the optimum the loss is quadratic in the capacities: NEAR of it moves one by about its root.
CAPACITY = 0.1
FULL = 0.02  # of a dimension: distance of ΣC_i from m
PARTIAL = 0.05  # a capacity between this and 1 − this is a part of a dimension


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on capacity."""
  dataset = with_restarts(dataset).transpose("density", "ratio", "restart", ...)
  decided = dataset.sizes["restart"] >= MIN_RESTARTS
  return [
    _closed_form_claim(dataset),
    _optimum_claim(dataset, decided),
    _capacity_claim(dataset, decided),
    _sharing_claim(dataset, decided),
    _sum_claim(dataset, decided),
    _eigenvalue_claim(dataset, decided),
  ]


def _kurtoses(dataset: "xr.Dataset") -> np.ndarray:
  return np.array([kurtosis(p) for p in dataset["density"].values.tolist()])


def _closed_form_claim(dataset: "xr.Dataset") -> Claim:
  off = np.abs(dataset["descended_loss"].values / dataset["optimum_loss"].values - 1)
  return Claim(
    "the lowest exact loss of models that square their hidden layer is the closed form of water "
    "that fills m dimensions",
    f"descents end within {off.max():.1e} of it in all {off.size} cells",
    f"within {DIGITS:g}, relative",
    identity(bool((off <= DIGITS).all())),
  )


def _optimum_claim(dataset: "xr.Dataset", decided: bool) -> Claim:
  excess = (dataset["exact_loss"] / dataset["optimum_loss"] - 1).values
  best = excess.min(axis=-1)
  near = (excess <= NEAR).sum(axis=(1, 2))
  listed = ", ".join(str(count) for count in near.tolist())
  kurtoses = ", ".join(f"{k:.3g}" for k in _kurtoses(dataset))
  return Claim(
    "training a model of squares reaches the optimum: exact loss of the best restart of every cell "
    "over the closed form",
    f"at most {100 * best.max():.2f} % above; within {100 * NEAR:g} % are {listed} of "
    f"{excess[0].size} restarts each (κ = {kurtoses}), the worst is {100 * excess.max():.0f} % "
    "above",
    f"at most {100 * NEAR:g} % above in every cell",
    verdict(bool((best <= NEAR).all()), decided),
  )


def capacity_error(dataset: "xr.Dataset") -> np.ndarray:
  """Returns the largest distance of a restart's sorted capacities from the optimum's, by cell.

  Sorted, since features of the same importance are exchangeable.
  """
  found = dataset["capacity"].transpose("density", "ratio", "restart", "feature").values
  theory = dataset["optimum_capacity"].transpose("density", "ratio", "feature").values
  off = np.sort(found, axis=-1) - np.sort(theory, axis=-1)[:, :, None]
  return np.abs(off).max(axis=-1)


def _capacity_claim(dataset: "xr.Dataset", decided: bool) -> Claim:
  off = capacity_error(dataset)
  listed = ", ".join(f"{x:.3f}" for x in np.median(off, axis=(1, 2)))
  kurtoses = ", ".join(f"{k:.3g}" for k in _kurtoses(dataset))
  return Claim(
    "trained features have the capacities C_i that water filling gives them, in every restart",
    f"largest difference {off.max():.3f}; median of it over restarts {listed} (κ = {kurtoses})",
    f"every C_i within {CAPACITY:g}, capacities sorted",
    verdict(bool((off <= CAPACITY).all()), decided),
  )


def _sharing_claim(dataset: "xr.Dataset", decided: bool) -> Claim:
  capacity = dataset["capacity"].transpose("density", "ratio", "restart", "feature").values
  partial = ((capacity > PARTIAL) & (capacity < 1 - PARTIAL)).sum(axis=-1)
  theory = dataset["optimum_capacity"].transpose("density", "ratio", "feature").values
  expected = ((theory > PARTIAL) & (theory < 1 - PARTIAL)).sum(axis=-1)[:, :, None] > 0
  kurtoses = _kurtoses(dataset)
  listed = "; ".join(
    f"κ = {k:.3g}: {low}–{high}" if low < high else f"κ = {k:.3g}: {low}"
    for k, low, high in zip(
      kurtoses, partial.min(axis=(1, 2)), partial.max(axis=(1, 2)), strict=True
    )
  )
  both = bool((kurtoses <= NORMAL).any() and (kurtoses > NORMAL).any())
  return Claim(
    "features of a model of squares share dimensions only if their kurtosis κ is above 3, that of "
    "a normal law (density below 0.6)",
    f"features with a part of a dimension: {listed}",
    f"none of {PARTIAL:g} < C_i < {1 - PARTIAL:g} for κ ≤ 3; for κ > 3 some wherever the optimum "
    "has some; in every restart",
    verdict(bool(((partial > 0) == expected).all()), decided and both),
  )


def _sum_claim(dataset: "xr.Dataset", decided: bool) -> Claim:
  m = dataset.sizes["hidden"]
  total = dataset["capacity"].sum("feature").values
  return Claim(
    f"trained models of squares use all {m} dimensions: the sum of the capacities, which no "
    f"weights can bring above {m}",
    f"{total.min():.4f} to {total.max():.4f}",
    f"{m} within {FULL:g}, in every restart",
    verdict(bool((np.abs(total - m) <= FULL).all()), decided),
  )


def eigenvalues(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns M_ii / C_i of features with a part of a dimension over the optimum's value, nan of
  others: 1 if all features that share have one eigenvalue, as in a tight frame."""
  capacity = dataset["capacity"]
  partial = (capacity > PARTIAL) & (capacity < 1 - PARTIAL)
  each = (dataset["W"] ** 2).sum("hidden") / capacity
  return (each / dataset["optimum_eigenvalue"]).where(partial)


def _eigenvalue_claim(dataset: "xr.Dataset", decided: bool) -> Claim:
  found = eigenvalues(dataset).transpose("density", "ratio", "restart", "feature").values
  there = found[np.isfinite(found)]
  off = np.abs(there - 1)
  measured = f"largest relative difference {off.max():.3f}" if off.size else "no feature shares"
  if off.size:
    measured += f", {(off <= CAPACITY).mean():.1%} of {off.size} features within {CAPACITY:g}"
  return Claim(
    "all features that share dimensions have one eigenvalue M_ii / C_i, that of the closed form: "
    "their directions are a tight frame",
    measured,
    f"(κ − 1) μ, within {CAPACITY:g}, for every feature in every restart",
    verdict(bool((off <= CAPACITY).all()), decided and off.size > 0),
  )
