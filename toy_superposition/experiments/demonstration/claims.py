"""What a linear and a ReLU model represent at each density, against the paper's figure.

Paper, section "Demonstrating Superposition". The counts for n = 20 were read off its figure.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from toy_superposition.experiments import restarts
from toy_superposition.experiments.demonstration import interference_claims
from toy_superposition.experiments.demonstration.analysis import (
  BIAS,
  LINEAR,
  PAIRS_AT,
  RELU,
  active_enough,
  at,
  densities,
  listed,
  n_dedicated,
  n_represented,
  ordered,
)
from toy_superposition.experiments.experiment import Claim, verdict
from toy_superposition.geometry.definitions import is_represented_norm

if TYPE_CHECKING:
  import xarray as xr

# Read off the published figure, n = 20: number of features with a norm near 1, by density.
COUNTS = {1.0: 5, 0.3: 7, 0.1: 9, 0.03: 10, 0.01: 11, 0.003: 12, 0.001: 12}
COUNT_TOLERANCE = 2  # features
# The same for n = 80.
LARGE_COUNTS = {1.0: 20, 0.3: 26, 0.1: 32, 0.03: 41, 0.01: 49, 0.003: 55, 0.001: 55}
LARGE_TOLERANCE = 4
PUBLISHED = {(20, 5): (COUNTS, COUNT_TOLERANCE), (80, 20): (LARGE_COUNTS, LARGE_TOLERANCE)}
VERIFIED = {(20, 5): "; independently verified: 5, 7, 10, 11, 11, 13, 13"}
# The same for n = 20 with any visible bar, lowest and highest: at .003 the figure is hard to read.
ANY_BAR = {1.0: (5, 5), 0.3: (7, 7), 0.1: (9, 9), 0.03: (12, 12), 0.01: (14, 14)}
ANY_BAR |= {0.003: (16, 18), 0.001: (19, 19)}
VISIBLE = 0.1  # minimum norm of a bar that is seen


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the paper's statements."""
  dataset = ordered(dataset)
  linear, relu = (dataset.sel(model=name) for name in (LINEAR, RELU))
  best = restarts.best(relu)
  rows = [
    *_linear_claims(linear),
    _dense_claim(best, restarts.best(linear)),
    _progress_claim(best, relu),
  ]
  size = (dataset.sizes["feature"], dataset.sizes["hidden"])
  if size in PUBLISHED:
    rows.append(_counts_claim(best, size))
  if size == (20, 5):
    rows.append(_weak_claim(best))
  return [
    *rows,
    _dedicated_claim(best, relu),
    *interference_claims.of_relu(best, relu),
    interference_claims.definition_claim(linear),
  ]


def _ranges(low: Iterable[Any], high: Iterable[Any]) -> str:
  return ", ".join(f"{a}" if a == b else f"{a}–{b}" for a, b in zip(low, high, strict=True))


def _linear_claims(linear: "xr.Dataset") -> list[Claim]:
  """The linear model represents the m most important features at every density.

  Its loss has no other minima, but the choice between features of nearly equal importance is slow:
  the best restart is judged, and the number of restarts like it is reported.
  """
  m = linear.sizes["hidden"]
  best = restarts.best(linear)
  norm = best["feature_norm"].transpose("density", "feature").values
  error, others = np.abs(norm[:, :m] - 1).max(axis=1), norm[:, m:].max(axis=1)
  b = best["b"].transpose("density", "feature").values
  p = best["density"].values
  bias_error = np.abs(b[:, m:] - p[:, None] / 2).max(axis=1)
  allowed = BIAS * np.sqrt(p)
  norm = linear["feature_norm"].transpose("density", "restart", "feature").values
  same = (np.abs(norm[..., :m] - 1) <= 0.03).all(axis=-1) & (norm[..., m:] < 0.05).all(axis=-1)
  alike = f"{same.sum()} of {same.size} models represent exactly the {m} most important"
  return [
    Claim(
      f"the linear model's {m} most important features have norm 1 (p = {densities(linear)})",
      f"largest difference from 1: {listed(error, '.3f')}",
      "≤ 0.03 at every p",
      verdict(bool(np.all(error <= 0.03)), decided=active_enough(linear)),
    ),
    Claim(
      f"all but the {m} most important features are absent from the linear model (p = "
      f"{densities(linear)})",
      f"largest norm: {listed(others, '.3f')} ({alike})",
      "< 0.05 at every p",
      verdict(bool(np.all(others < 0.05)), decided=active_enough(linear)),
    ),
    Claim(
      "largest difference between the linear model's bias of an absent feature and the feature's "
      "mean p/2",
      f"{listed(bias_error, '.4f')} (p = {densities(linear)})",
      f"≤ {BIAS:g} √p at every p: it costs a thousandth of E x²",
      verdict(bool(np.all(bias_error <= allowed)), decided=active_enough(linear)),
    ),
  ]


def _dense_claim(best: "xr.Dataset", linear: "xr.Dataset") -> Claim:
  """Dense features: the ReLU model represents those that the linear model does."""
  m = best.sizes["hidden"]
  (cell, there), (linear_cell, _) = (at(dataset, 1.0) for dataset in (best, linear))
  ours, theirs = (
    set(np.flatnonzero(is_represented_norm(model["feature_norm"].values)))
    for model in (cell, linear_cell)
  )
  return Claim(
    "at p = 1 the ReLU model represents as many features as it has dimensions, those that the "
    "linear model represents",
    f"{len(ours)} features, {len(ours & theirs)} of them among the linear model's {len(theirs)}",
    f"exactly {m}, the linear model's",
    verdict(len(ours) == m and ours == theirs, decided=there and active_enough(best)),
  )


def _progress_claim(best: "xr.Dataset", relu: "xr.Dataset") -> Claim:
  """The sparser features are, the more of them the ReLU model represents."""
  counts, every = n_represented(best), n_represented(relu)
  spread = _ranges(every.min(axis=1), every.max(axis=1))
  return Claim(
    "number of features that the ReLU model represents, from dense to sparse (p = "
    f"{densities(best)})",
    f"{listed(counts)} (all restarts: {spread})",
    "never falling by more than 1 as features become sparser",
    verdict(bool(np.all(np.diff(counts) >= -1)), decided=active_enough(best) and len(counts) > 1),
  )


def _counts_claim(best: "xr.Dataset", size: tuple[int, int]) -> Claim:
  """The counts of the published figure, at the densities of the sweep that it shows."""
  figure, tolerance = PUBLISHED[size]
  cells = [at(best, p) for p in figure]
  counts = np.array([int(n_represented(cell)) for cell, _ in cells])
  published = np.array(list(figure.values()))
  expected = f"{listed(published)}, each ±{tolerance}"
  return Claim(
    f"the ReLU model represents as many features as in the paper's figure (p = "
    f"{listed(figure, 'g')})",
    listed(counts),
    expected + VERIFIED.get(size, ""),
    verdict(
      bool(np.all(np.abs(counts - published) <= tolerance)),
      decided=active_enough(best) and all(there for _, there in cells),
    ),
  )


def _weak_claim(best: "xr.Dataset") -> Claim:
  """Features with any visible bar in the published figure, weak ones included."""
  cells = [at(best, p) for p in ANY_BAR]
  counts = np.array([int((cell["feature_norm"].values > VISIBLE).sum()) for cell, _ in cells])
  low, high = np.array(list(ANY_BAR.values())).T
  near = (counts >= low - COUNT_TOLERANCE) & (counts <= high + COUNT_TOLERANCE)
  return Claim(
    f"as many of the ReLU model's features have a norm > {VISIBLE:g} as have a bar in the paper's "
    f"figure (p = {listed(ANY_BAR, 'g')})",
    listed(counts),
    f"{_ranges(low, high)}, each ±{COUNT_TOLERANCE}",
    verdict(bool(near.all()), decided=active_enough(best) and all(there for _, there in cells)),
  )


def _dedicated_claim(best: "xr.Dataset", relu: "xr.Dataset") -> Claim:
  """Superposition takes over: fewer and fewer features keep a dimension to themselves."""
  counts, every = n_dedicated(best), n_dedicated(relu)
  spread = _ranges(every.min(axis=1), every.max(axis=1))
  measured = f"{listed(counts)} (all restarts: {spread})"
  statement = (
    f"number of the ReLU model's features with a dimension to themselves (p = {densities(best)})"
  )
  if (best.sizes["feature"], best.sizes["hidden"]) == (20, 5):
    cell, there = at(best, PAIRS_AT)
    holds = 2 <= int(n_dedicated(cell)) <= 4
    decided = there and active_enough(best)
    return Claim(statement, measured, "2 to 4 at p = 0.3", verdict(holds, decided))
  # A larger model progresses likewise, from every feature to none.
  falling = counts[0] == best.sizes["hidden"] and np.all(np.diff(counts) <= 1)
  return Claim(
    statement,
    measured,
    f"from {best.sizes['hidden']} at p = 1 to 0, never rising by more than 1",
    verdict(bool(falling and counts[-1] == 0), decided=active_enough(best) and at(best, 1.0)[1]),
  )
