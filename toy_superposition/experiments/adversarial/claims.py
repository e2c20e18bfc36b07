"""The paper's statements on vulnerability and superposition, decided by trained models."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments import restarts
from toy_superposition.experiments.adversarial.analysis import features_per_dimension
from toy_superposition.experiments.experiment import Claim, verdict
from toy_superposition.geometry.correlation import rank_correlation

if TYPE_CHECKING:
  import xarray as xr

# Vulnerability is the rise of the loss under attack, as a multiple of that of a model without
# superposition.
DENSE_RATIO = (0.9, 1.1)  # vulnerability of dense models, where nothing is in superposition
SPARSE_RATIO, SPARSE_AT = 3.0, 10  # the paper: more than 3, at 1/(1−S)
ERRORS = 2.0  # standard errors from the paper's number within which nothing is decided
PLATEAU, PLATEAU_RATIO = (1.9, 2.1), (1.8, 2.3)  # features per dimension in pairs; vulnerability
CORRELATION = 0.95  # minimum rank correlation
MIN_DENSITIES = 8  # that can show a correlation
PER_EXAMPLE = (9.9, 12.1)  # verified: 11, within a tenth
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
    _universal_claim(dataset, best, x),
    _plateau_claim(best),
    _correlation_claim(best, x),
    _per_example_claim(dataset, best, x),
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


def _at_sparse(x: np.ndarray) -> tuple[int, bool]:
  """Returns the sparsest density, and whether it is the one that the paper's number is for."""
  k = int(x.argmax())
  return k, bool(abs(x[k] / SPARSE_AT - 1) < 0.02)


def _statement(x: float, reading: str) -> str:
  return (
    f"vulnerability of a model at 1/(1−S) = {x:.3g} to {READINGS[reading]}, as a multiple of that "
    "of a model without superposition"
  )


def _universal_claim(dataset: "xr.Dataset", best: "xr.Dataset", x: np.ndarray) -> Claim:
  """The paper's "more than 3" is about this reading: the other one gives 11."""
  k, there = _at_sparse(x)
  ratio, error = (
    float(best[f"vulnerability_{name}"][k]) for name in ("universal", "universal_error")
  )
  chosen = float(best["vulnerability_universal_chosen"][k])
  clear = abs(ratio - SPARSE_RATIO) > ERRORS * error
  return Claim(
    _statement(x[k], "universal"),
    f"{ratio:.2f} ± {error:.2f} on fresh examples, {chosen:.2f} on those that chose the direction; "
    f"{_spread(dataset, 'vulnerability_universal', k)}",
    f"more than {SPARSE_RATIO:g} (the paper), farther than {ERRORS:g} standard errors",
    verdict(ratio > SPARSE_RATIO, decided=there and clear),
  )


def _per_example_claim(dataset: "xr.Dataset", best: "xr.Dataset", x: np.ndarray) -> Claim:
  k, there = _at_sparse(x)
  ratio = float(best["vulnerability_per_example"][k])
  low, high = PER_EXAMPLE
  return Claim(
    _statement(x[k], "per_example"),
    f"{ratio:.2f}; {_spread(dataset, 'vulnerability_per_example', k)}",
    f"{low:g} to {high:g} (verified independently: 11)",
    verdict(low <= ratio <= high, decided=there),
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
