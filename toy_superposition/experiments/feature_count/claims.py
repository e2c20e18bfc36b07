"""More and more features in the same dimensions: what depends on their number, and what does not.

Paper, section "The Geometry of Superposition": the number of features n does not matter when it
is much larger than the number of dimensions m, only their density does.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from toy_superposition.experiments.experiment import (
  REPORTED,
  Analysis,
  Claim,
  require,
  require_axes,
  verdict,
)
from toy_superposition.geometry.components import REPRESENTED
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

MEASURES = ("feature_norm", "dimensions_per_feature")
AXES = ("m", "density", "n", "restart")
MANY = 8  # least n / m of "many more features than dimensions"
SPARE = 1 / 3  # least share of absent features, without which n would limit what is represented
# Largest share of ‖W‖² that absent features hold once training has arrived; at first they hold all
# of it. As long as norms are even and n ≫ m, no ReLU ever clips: interference has the variance
# p m / (3 n), about a bias of p/2. The model is linear, all subspaces of m dimensions are equally
# good with D* = 1, and only the noise of gradients leads out of it.
ARRIVED = 0.02
# A change is one if it is larger than this share of the value, and than so many times the median
# range over seeds: by chance alone the range of four means of two seeds is so large in one of
# twenty cases.
CHANGE, RANGES = 0.05, 3
LEAST_LARGEST = 1000  # features, below which the sweep is too short to decide


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the paper's statement is not about the experiment."""
  del axes, groups
  wanted: dict[str, Any] = {
    "model.name": "relu_output",
    "data.distribution": "sparse_uniform",
    "data.target": "identity",
    "density.profile": "uniform",
    "importance.profile": "uniform",
    "importance.base": 1.0,
  }
  require(values, "feature_count", wanted)
  fields = {"n": "model.n_features", "m": "model.n_hidden", "density": "density.base"}
  require_axes(values, "feature_count", fields)


def absent_loss(density: "xr.DataArray") -> "xr.DataArray":
  """Returns the loss of a feature without a direction: the variance p/3 − p²/4 of its values, at
  the bias p/2."""
  return density / 3 - density**2 / 4


def interference(
  W: Float[np.ndarray, "hidden feature"], chosen: np.ndarray
) -> Float[np.ndarray, "chosen"]:
  """Returns Σ_{j≠i} (Ŵ_i · W_j)² of the chosen features, the sum over all others.

  Through W Wᵀ: a matrix of all pairs would not fit in memory for many features.
  """
  W = W.astype(float)
  mine = W[:, chosen]
  squared = (mine**2).sum(axis=0)
  return np.einsum("hi,hk,ki->i", mine, W @ W.T, mine) / squared - squared


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset of one shape with the numbers that shapes are compared by."""
  del mesh, memory_budget
  m = dataset.sizes["hidden"]
  squared = dataset["feature_norm"].astype(float) ** 2
  represented = squared > REPRESENTED
  absent = absent_loss(dataset["density"])
  relative = (dataset["feature_loss"] / absent).where(represented)
  W = dataset["W"].transpose(*represented.dims[:-1], "hidden", "feature").values
  between = np.full(represented.shape[:-1], np.nan)
  for at in np.ndindex(between.shape):
    chosen = represented.values[at]
    if chosen.any():
      between[at] = interference(W[at], chosen).mean()
  found = {
    "features_per_dimension": (represented.sum("feature") / m, "represented features / m"),
    "absent_share": (
      squared.where(~represented).sum("feature") / squared.sum("feature"),
      "share of ‖W‖²_F that features with ‖W_i‖² ≤ 0.3 hold",
    ),
    "relative_loss": (
      relative.mean("feature"),
      "mean loss of a represented feature / that of an absent one",
    ),
    "loss_saved": (
      (1 - relative).sum("feature") / m,
      "loss saved per hidden dimension / loss of an absent feature",
    ),
    "interference": (
      (represented.dims[:-1], between),
      "mean of Σ_{j≠i} (Ŵ_i · W_j)² over represented features",
    ),
  }
  dataset = dataset.assign({name: value for name, (value, _) in found.items()})
  for name in found:  # a model that diverged has no number, and not 0
    dataset[name] = dataset[name].where(dataset["finite"] == 1)
  for name, (_, long_name) in found.items():
    dataset[name].attrs = {"long_name": long_name}
  return dataset


def ordered(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the gathered dataset with its dimensions in the order of AXES, and a restart even if
  it had none."""
  dataset = dataset if "restart" in dataset.dims else dataset.expand_dims("restart")
  return dataset.transpose(*AXES).sortby("density", ascending=False)


def many(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns where there are many more features than dimensions, and some to spare."""
  ratio = dataset["n"] / dataset["m"]
  spare = 1 - dataset["features_per_dimension"].mean("restart") / ratio
  return (ratio >= MANY) & (spare >= SPARE)


def arrived(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns where training has arrived in all seeds, none of which diverged."""
  return dataset["absent_share"].max("restart", skipna=False) <= ARRIVED


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the trained models of all shapes say about the paper's statement."""
  dataset = ordered(dataset)
  wide = many(dataset)
  settled = wide & arrived(dataset)
  large = bool(dataset["n"].max() >= LEAST_LARGEST)
  D, saved = dataset["dimensions_per_feature"], dataset["loss_saved"]
  cells = {"where training has arrived": settled, "at every n": wide}
  if bool((settled == wide).all()):
    del cells["where training has arrived"]
  numbers = {"D*": D, "loss saved per dimension": saved}
  return [
    *(
      _change_claim(what, value, chosen, where, large)
      for where, chosen in cells.items()
      for what, value in numbers.items()
    ),
    _density_claim(D, settled, large),
    _ratio_claim(D, settled, large),
    _padding_claim(saved),
    _arrival_claim(dataset),
    _cost_claim(dataset),
  ]


def _tolerance(value: "xr.DataArray", chosen: "xr.DataArray") -> float:
  """Returns the relative change that is none."""
  mean = value.mean("restart")
  ranges = ((value.max("restart") - value.min("restart")) / mean).where(chosen)
  median = float(ranges.median()) if bool(ranges.notnull().any()) else 0.0
  return max(CHANGE, RANGES * median)


def _change(mean: "xr.DataArray", dim: str) -> "xr.DataArray":
  """Returns (largest − smallest) / mean along a dimension; nan with less than two values."""
  change = (mean.max(dim) - mean.min(dim)) / mean.mean(dim)
  return change.where(mean.notnull().sum(dim) >= 2)


def _listed(values: "xr.DataArray") -> str:
  """Returns the numbers of an array (m, density) with their places."""
  parts = []
  for m in values["m"].values:
    cells = [
      f"{float(cell):.1%} (p = {float(cell['density']):g})"
      for cell in values.sel(m=m)
      if np.isfinite(cell)
    ]
    parts += [f"m = {m}: {', '.join(cells)}"] if cells else []
  return "; ".join(parts) or "no two shapes to compare"


def _change_claim(
  what: str, value: "xr.DataArray", chosen: "xr.DataArray", where: str, large: bool
) -> Claim:
  """Returns the verdict on a number at fixed m and density, over n."""
  change = _change(value.mean("restart").where(chosen), "n")
  tolerance = _tolerance(value, chosen)
  decided = large and bool(change.notnull().any())
  return Claim(
    f"{what} at fixed m and density is the same at all n ≥ {MANY} m, {where}: range over n / mean",
    _listed(change),
    f"≤ {tolerance:.1%} (5 %, or {RANGES} median ranges over seeds)",
    verdict(bool((change.fillna(0) <= tolerance).all()), decided=decided),
  )


def _density_claim(D: "xr.DataArray", chosen: "xr.DataArray", large: bool) -> Claim:
  """Returns whether the ranges of D* over shapes of two densities ever overlap."""
  cells = D.mean("restart").where(chosen)
  low, high = cells.min(("m", "n")), cells.max(("m", "n"))
  filled = low.notnull().values
  apart = low.values[:-1] > high.values[1:]  # density descends, and D* with it
  p = low["density"].values
  measured = ", ".join(
    f"{a:.3f}–{b:.3f} (p = {q:g})"
    for a, b, q in zip(low.values, high.values, p, strict=True)
    if np.isfinite(a)
  )
  return Claim(
    "the density decides: D* over all shapes, where training has arrived, by density",
    measured or "none has arrived",
    "ranges that do not overlap, lower where features are rarer",
    verdict(bool(apart.all()), decided=large and bool(filled.all()) and len(p) > 1),
  )


def _ratio_claim(D: "xr.DataArray", chosen: "xr.DataArray", large: bool) -> Claim:
  """Returns whether D* at the same n / m is the same whatever m."""
  import xarray as xr

  mean = D.mean("restart").where(chosen)
  lines = [mean.sel(m=m).assign_coords(n=mean["n"] / m).rename(n="ratio") for m in mean["m"].values]
  change = _change(xr.concat(lines, dim="m", join="outer"), "m")
  tolerance = _tolerance(D, chosen)
  found = [
    f"{float(cell):.1%} (n = {float(cell['ratio']):g} m, p = {float(cell['density']):g})"
    for row in change.transpose("ratio", "density")
    for cell in row
    if np.isfinite(cell)
  ]
  return Claim(
    "D* at fixed n / m does not depend on m, where training has arrived: range over m / mean",
    ", ".join(found) or "no two shapes to compare",
    f"≤ {tolerance:.1%} (5 %, or {RANGES} median ranges over seeds)",
    verdict(bool((change.fillna(0) <= tolerance).all()), decided=large and bool(found)),
  )


def _padding_claim(saved: "xr.DataArray") -> Claim:
  """Reports by how much a model of fewer features, the others absent, beats one of the most.

  Features with W_i = 0 change no other output, so its loss saved is the same at every n: where it
  is larger, it is training that depends on n, and not the optimum.
  """
  best = saved.max("restart")
  gap = best.max("n") / best.isel(n=-1) - 1
  return Claim(
    "loss saved by the best model of fewer features, padded with absent ones, beyond that of the "
    f"best trained at n = {int(saved['n'][-1])}",
    _listed(gap),
    "> 0 where training is what depends on n: the optimum can only gain from more features",
    REPORTED,
  )


def _arrival_claim(dataset: "xr.Dataset") -> Claim:
  share = dataset["absent_share"].max("restart")
  parts = []
  for m in share["m"].values:
    line = share.sel(m=m).max("density")
    parts.append(f"m = {m}: " + ", ".join(f"{float(s):.1%} (n = {int(s['n'])})" for s in line))
  return Claim(
    "share of ‖W‖² that absent features hold in the end, most over densities and seeds",
    "; ".join(parts),
    f"≤ {ARRIVED:.0%} once training has arrived",
    REPORTED,
  )


def _cost_claim(dataset: "xr.Dataset") -> Claim:
  """Reports how the wall time of a step grows with n."""
  seconds = dataset["step_seconds"].isel(density=0, restart=0)  # a group's models share it
  parts = []
  for m in seconds["m"].values:
    line = seconds.sel(m=m).dropna("n")
    if line.size < 2:
      continue
    last = line.isel(n=slice(-2, None))
    slope = float(np.diff(np.log(last.values))[0] / np.diff(np.log(last["n"].values))[0])
    parts.append(f"m = {m}: {1e3 * float(last[-1]):.2g} ms, exponent {slope:.2f}")
  return Claim(
    "wall time per step and instance at the largest n, and its growth over the last two n",
    "; ".join(parts) or "not timed",
    "exponent 1: one row of work per feature",
    REPORTED,
  )


ANALYSIS = Analysis(
  "The Geometry of Superposition", MEASURES, check, claims, run, across=True, timed=True
)
