"""The paper's statements on vulnerability and superposition, decided by trained models."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments import restarts
from toy_superposition.experiments.adversarial.analysis import features_per_dimension
from toy_superposition.experiments.experiment import REPORTED, Claim, verdict
from toy_superposition.geometry.correlation import rank_correlation

if TYPE_CHECKING:
  import xarray as xr

# Vulnerability is the rise of the loss under attack, as a multiple of that of a model without
# superposition.
DENSE_RATIO = (0.9, 1.1)  # vulnerability of dense models, where nothing is in superposition
SPARSE_RATIO, SPARSE_AT = 2.8, 10  # minimum vulnerability, at 1/(1−S)
PLATEAU, PLATEAU_RATIO = (1.9, 2.1), (1.8, 2.3)  # features per dimension in pairs; vulnerability
CORRELATION = 0.95  # minimum rank correlation
MIN_DENSITIES = 8  # that can show a correlation
READINGS = {
  "universal": "one worst attack direction for all examples",
  "per_example": "the worst attack direction of each example",
}


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on vulnerability and superposition."""
  best = restarts.best(dataset)
  x = 1 / best["density"].values
  return [
    _dense_claim(dataset, best, x),
    _sparse_claim(dataset, best, x, "universal", verified="3.15"),
    _plateau_claim(best),
    _correlation_claim(best, x),
    _sparse_claim(dataset, best, x, "per_example", verified="11"),
  ]


def _spread(dataset: "xr.Dataset", name: str, k: int) -> str:
  values = np.sort(np.atleast_1d(dataset[name].isel(density=k).values))
  return f"restarts {', '.join(f'{value:.2f}' for value in values)}"


def _dense_claim(dataset: "xr.Dataset", best: "xr.Dataset", x: np.ndarray) -> Claim:
  k = int(x.argmin())
  ratio = float(best["vulnerability_universal"][k])
  return Claim(
    "a model of dense features, 1/(1−S) = 1, is as vulnerable to attacks as a model without "
    "superposition: ratio of their vulnerabilities",
    f"{ratio:.3f}; {_spread(dataset, 'vulnerability_universal', k)}",
    "1.0 ± 0.1",
    verdict(DENSE_RATIO[0] <= ratio <= DENSE_RATIO[1], decided=abs(x[k] - 1) < 1e-6),
  )


def _sparse_claim(
  dataset: "xr.Dataset", best: "xr.Dataset", x: np.ndarray, reading: str, verified: str
) -> Claim:
  """The paper's > 3 × belongs to one of the readings; the other one is reported."""
  k, name = int(x.argmax()), f"vulnerability_{reading}"
  ratio, there = float(best[name][k]), abs(x[k] / SPARSE_AT - 1) < 0.02
  universal = reading == "universal"
  threshold = f"≥ {SPARSE_RATIO} (paper: more than 3; verified: {verified})"
  return Claim(
    f"vulnerability of a model at 1/(1−S) = {x[k]:.3g} to {READINGS[reading]}, as a multiple of "
    "that of a model without superposition",
    f"{ratio:.2f}; {_spread(dataset, name, k)}",
    threshold if universal else f"verified: {verified}",
    verdict(ratio >= SPARSE_RATIO, decided=there) if universal else REPORTED,
  )


def _plateau_claim(best: "xr.Dataset") -> Claim:
  features = features_per_dimension(best).values
  on = (features >= PLATEAU[0]) & (features <= PLATEAU[1])
  ratio = best["vulnerability_universal"].values[on]
  low, high = PLATEAU_RATIO
  return Claim(
    f"vulnerability of models with all features in pairs (features per dimension {PLATEAU[0]}–"
    f"{PLATEAU[1]}), as a multiple of that of a model without superposition",
    ", ".join(f"{value:.2f}" for value in ratio) or "–",
    f"{low}–{high} (theory: about 2)",
    verdict(bool(((ratio >= low) & (ratio <= high)).all()), decided=len(ratio) > 0),
  )


def _correlation_claim(best: "xr.Dataset", x: np.ndarray) -> Claim:
  features = features_per_dimension(best).values
  universal, per_example = (
    rank_correlation(best[f"vulnerability_{name}"].values, features) for name in READINGS
  )
  return Claim(
    "vulnerability to attacks rises with features per dimension: rank correlation over densities",
    f"{universal:.3f} (worst for each example: {per_example:.3f}), {len(x)} densities",
    f"≥ {CORRELATION}",
    verdict(universal >= CORRELATION, decided=len(x) >= MIN_DENSITIES),
  )
