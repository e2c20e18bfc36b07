"""Basic results: which features a linear and a ReLU model represent, and how, by density.

Paper, section "Demonstrating Superposition". The counts for n = 20 were read off its figure.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from toy_superposition.errors import UserError
from toy_superposition.experiments import restarts
from toy_superposition.experiments.experiment import (
  REPORTED,
  Analysis,
  Claim,
  require,
  require_axes,
  verdict,
)
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

LINEAR, RELU = "linear", "relu_output"
REPRESENTED = 0.5  # least norm of a represented feature
DEDICATED = 0.1  # Σ_{j≠i} (Ŵ_i · W_j)² of a feature that has a dimension to itself is below this
# Read off the published figure, n = 20: features with norm ≈ 1, by density.
COUNTS = {1.0: 5, 0.3: 7, 0.1: 9, 0.03: 10, 0.01: 11, 0.003: 12, 0.001: 12}
COUNT_TOLERANCE = 2
PAIRS_AT = 0.3  # density at which the first pairs appear
BIAS_FROM = 0.01  # density from which on everything is in superposition, with negative biases
SAME = 1e-3  # relative distance of densities that are equal
# Times that a feature is active in training; with fewer nothing is decided. After 2 048 a linear
# model had not yet exchanged two features whose importances differ by a tenth; after 4 096 it had.
LEAST_SEEN = 2500


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the paper's statements are not about the experiment."""
  del axes
  wanted: dict[str, Any] = {
    "data.distribution": "sparse_uniform",
    "data.target": "identity",
    "density.profile": "uniform",
    "importance.profile": "geometric",
  }
  require(values, "demonstration", wanted)
  require_axes(values, "demonstration", {"model": "model.name", "density": "density.base"})
  models = {group.spec.model for group in groups}
  if models != {LINEAR, RELU}:
    raise UserError(
      f"config.axis.model.points: {sorted(models)} is not allowed with analysis 'demonstration', "
      f"which compares two models; allowed: {LINEAR} and {RELU}"
    )
  if values["model.n_features"] <= values["model.n_hidden"]:
    raise UserError(
      f"config.model.n_features: {values['model.n_features']} is not allowed with analysis "
      "'demonstration'; allowed: more than config.model.n_hidden"
    )


def with_restarts(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset, dense first, with a dimension `restart` even if it had none."""
  dataset = dataset if "restart" in dataset.dims else dataset.expand_dims("restart")
  return dataset.transpose("model", "density", "restart", ...).sortby("density", ascending=False)


def represented(dataset: "xr.Dataset") -> Int[np.ndarray, "..."]:
  """Returns how many features have a norm above one half, for every model."""
  norm = dataset["feature_norm"]
  return np.asarray((norm.values > REPRESENTED).sum(axis=norm.get_axis_num("feature")))


def dedicated(dataset: "xr.Dataset") -> Int[np.ndarray, "..."]:
  """Returns how many represented features have a dimension to themselves, for every model."""
  norm, overlap = dataset["feature_norm"], dataset["superposition"]
  alone = (norm.values > REPRESENTED) & (overlap.values < DEDICATED)
  return np.asarray(alone.sum(axis=norm.get_axis_num("feature")))


def off_diagonal(W: Float[np.ndarray, "hidden feature"]) -> Float[np.ndarray, "pair"]:
  """Returns W_i · W_j of every pair of features."""
  return (W.T @ W)[np.triu_indices(W.shape[1], 1)]


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the trained models say about the paper's statements."""
  dataset = with_restarts(dataset)
  linear, relu = (dataset.sel(model=name) for name in (LINEAR, RELU))
  best = restarts.best(relu)
  rows = [
    *_linear_claims(linear),
    _dense_claim(best, restarts.best(linear)),
    _progress_claim(best, relu),
  ]
  if (dataset.sizes["feature"], dataset.sizes["hidden"]) == (20, 5):
    rows += [_counts_claim(best), _any_claim(best)]
  return [*rows, _dedicated_claim(best, relu), _pairs_claim(best), _bias_claim(best)]


def _at(dataset: "xr.Dataset", density: float) -> tuple["xr.Dataset", bool]:
  """Returns the models nearest to a density, and whether they are at it."""
  cell = dataset.sel(density=density, method="nearest")
  return cell, abs(float(cell["density"]) / density - 1) < SAME


def _seen(dataset: "xr.Dataset") -> bool:
  """Returns whether even the rarest features were active often enough to be learned."""
  config = json.loads(dataset.attrs["config"])
  examples = config["train.steps"] * config["train.batch_size"]
  return examples * float(dataset["density"].min()) >= LEAST_SEEN


def _listed(values, format_spec: str = "d") -> str:
  return ", ".join(format(value, format_spec) for value in values)


def _densities(dataset: "xr.Dataset") -> str:
  return _listed(dataset["density"].values, "g")


def _linear_claims(linear: "xr.Dataset") -> list[Claim]:
  """The linear model stores the m most important features at every density.

  Its loss has no other minima, but between features of nearly the same importance the choice is
  slow: the best restart is judged, and how many are like it is told.
  """
  m = linear.sizes["hidden"]
  best = restarts.best(linear)
  norm = best["feature_norm"].transpose("density", "feature").values
  kept, others = np.abs(norm[:, :m] - 1).max(axis=1), norm[:, m:].max(axis=1)
  b = best["b"].transpose("density", "feature").values
  error = np.abs(b[:, m:] - best["density"].values[:, None] / 2).max()
  norm = linear["feature_norm"].transpose("density", "restart", "feature").values
  same = (np.abs(norm[..., :m] - 1) <= 0.03).all(axis=-1) & (norm[..., m:] < 0.05).all(axis=-1)
  return [
    Claim(
      f"linear: the {m} most important features have norm 1 (p = {_densities(linear)})",
      f"largest difference from 1: {_listed(kept, '.3f')}",
      "≤ 0.03 at every p",
      verdict(bool(np.all(kept <= 0.03)), decided=_seen(linear)),
    ),
    Claim(
      f"linear: the others are absent (p = {_densities(linear)})",
      f"largest norm: {_listed(others, '.3f')} ({same.sum()} of {same.size} models with both)",
      "< 0.05 at every p",
      verdict(bool(np.all(others < 0.05)), decided=_seen(linear)),
    ),
    Claim(
      "linear: the bias of an absent feature is its mean p/2, largest difference",
      f"{error:.3f}",
      "p/2",
      REPORTED,
    ),
  ]


def _dense_claim(best: "xr.Dataset", linear: "xr.Dataset") -> Claim:
  """Dense features: the ReLU model stores what the linear one does."""
  m = best.sizes["hidden"]
  (cell, there), (other, _) = (_at(dataset, 1.0) for dataset in (best, linear))
  ours, theirs = (
    set(np.flatnonzero(one["feature_norm"].values > REPRESENTED)) for one in (cell, other)
  )
  return Claim(
    "ReLU, p = 1: as many features as dimensions, the same as the linear model's",
    f"{len(ours)} features, {len(ours & theirs)} of them the linear model's {len(theirs)}",
    f"exactly {m}, the same",
    verdict(len(ours) == m and ours == theirs, decided=there and _seen(best)),
  )


def _progress_claim(best: "xr.Dataset", relu: "xr.Dataset") -> Claim:
  counts = represented(best)
  every = represented(relu)
  low, high = every.min(axis=1), every.max(axis=1)
  return Claim(
    f"ReLU: features with norm > 1/2, p = {_densities(best)}",
    f"{_listed(counts)} (all restarts: {_ranges(low, high)})",
    "never falling by more than 1 as features become sparser",
    verdict(bool(np.all(np.diff(counts) >= -1)), decided=_seen(best) and len(counts) > 1),
  )


def _ranges(low, high) -> str:
  return ", ".join(f"{a}" if a == b else f"{a}–{b}" for a, b in zip(low, high, strict=True))


def _counts_claim(best: "xr.Dataset") -> Claim:
  """The counts of the published figure, at the densities of the sweep that it shows."""
  cells = [_at(best, p) for p in COUNTS]
  counts = np.array([int(represented(cell)) for cell, _ in cells])
  wanted = np.array(list(COUNTS.values()))
  return Claim(
    f"ReLU: the same counts as in the paper's figure, p = {_listed(COUNTS, 'g')}",
    _listed(counts),
    f"{_listed(wanted)}, each ±{COUNT_TOLERANCE}; independently verified: 5, 7, 10, 11, 11, 13, 13",
    verdict(
      bool(np.all(np.abs(counts - wanted) <= COUNT_TOLERANCE)),
      decided=_seen(best) and all(there for _, there in cells),
    ),
  )


def _dedicated_claim(best: "xr.Dataset", relu: "xr.Dataset") -> Claim:
  """Superposition takes over: fewer and fewer features keep a dimension to themselves."""
  counts, every = dedicated(best), dedicated(relu)
  spread = _ranges(every.min(axis=1), every.max(axis=1))
  measured = f"{_listed(counts)} (all restarts: {spread})"
  statement = f"ReLU: features with a dimension to themselves, p = {_densities(best)}"
  if (best.sizes["feature"], best.sizes["hidden"]) == (20, 5):
    cell, there = _at(best, PAIRS_AT)
    holds = 2 <= int(dedicated(cell)) <= 4
    return Claim(statement, measured, "2 to 4 at p = 0.3", verdict(holds, there and _seen(best)))
  # Larger models: the same progression, from every feature to none.
  falling = counts[0] == best.sizes["hidden"] and np.all(np.diff(counts) <= 1)
  return Claim(
    statement,
    measured,
    f"from {best.sizes['hidden']} at p = 1 to 0, never rising by more than 1",
    verdict(bool(falling and counts[-1] == 0), decided=_seen(best) and _at(best, 1.0)[1]),
  )


def _pairs_claim(best: "xr.Dataset") -> Claim:
  cell, there = _at(best, PAIRS_AT)
  least = float(off_diagonal(cell["W"].transpose("hidden", "feature").values).min())
  return Claim(
    f"ReLU: the first features in superposition are antipodal pairs: least W_i · W_j, p = "
    f"{PAIRS_AT:g}",
    f"{least:.3f}",
    "< −0.9",
    verdict(least < -0.9, decided=there and _seen(best)),
  )


def _bias_claim(best: "xr.Dataset") -> Claim:
  """Positive interference is paid for by negative biases."""
  sparse = best.isel(density=np.flatnonzero(best["density"].values <= BIAS_FROM * (1 + SAME)))
  mean = sparse["b"].where(sparse["feature_norm"] > REPRESENTED).mean("feature").values
  positive = [
    float(off_diagonal(W).max()) for W in sparse["W"].transpose("density", "hidden", ...).values
  ]
  return Claim(
    f"ReLU: mean bias of represented features, p = {_densities(sparse)}",
    f"{_listed(mean, '.3f')} (largest W_i · W_j: {_listed(positive, '.2f')})",
    "< 0 at every p",
    verdict(bool(np.all(mean < 0)), decided=_seen(best) and len(mean) > 0),
  )


def _any_claim(best: "xr.Dataset") -> Claim:
  """Features with any visible bar, weak ones included."""
  any_bar = (best["feature_norm"].values > 0.1).sum(axis=1)
  return Claim(
    f"ReLU: features with norm > 0.1, p = {_densities(best)}",
    _listed(any_bar),
    "5, 7, 9, 12, 14, 16–18, 19 in the paper's figure",
    REPORTED,
  )


ANALYSIS = Analysis(
  "Demonstrating Superposition: Basic Results", ("feature_norm", "superposition"), check, claims
)
