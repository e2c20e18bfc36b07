"""Uniform superposition: dimensions per feature, the fractions at which features gather, and the
polytopes that they form.

Paper, section "The Geometry of Superposition". The numbers of the published curve were read off
its figure.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import (
  REPORTED,
  Analysis,
  Claim,
  require,
  require_axes,
  verdict,
)
from toy_superposition.geometry.components import IDEALS, REPRESENTED, components, connected
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

KINDS = (*IDEALS, "unknown")
ABSENT = -1  # component and kind of a feature that is not represented
MEASURES = ("feature_norm", "feature_dimensionality", "dimensions_per_feature")
# D* of the published curve, by 1/(1 − S).
CURVE = {1.2: 0.985, 1.4: 0.913, 1.6: 0.820, 2.0: 0.542, 4.0: 0.435, 5.0: 0.366, 10.0: 0.213}
PLATEAU = (2.5, 3.0, 3.6)  # 1/(1 − S) at which the curve is within .04 of one half
FRACTIONS = {"3/4": 3 / 4, "2/3": 2 / 3, "1/2": 1 / 2, "2/5": 2 / 5, "3/8": 3 / 8}
# 1/(1 − S) between which the published scatter plot shows each line. Beyond it, and above all in
# the continuum from 5.2 on, dimensionalities of all sizes would count as the line's surroundings.
SEEN = {
  "3/4": (1.17, 1.5),
  "2/3": (1.54, 1.95),
  "1/2": (1.67, 4.3),
  "2/5": (3.6, 5.0),
  "3/8": (4.3, 5.3),
}
# A line of the scatter plot: so many features within the half-width of the fraction, and twice as
# many as in the windows of the same width at this distance on either side.
LINE_FEATURES, LINE_WIDTH, LINE_APART, LINE_CONTRAST = 10, 0.005, 0.0125, 2
EDGE = 0.1  # |W_i · W_j| of an edge of the graph
GRAPH_AT = 2.8  # 1/(1 − S)
NEAR = 0.06  # relative distance within which a density of the sweep stands for another
LEAST_HIDDEN = 20  # the notebook's size; in fewer dimensions one component moves D* by a plateau


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the paper's statements are not about the experiment."""
  del axes, groups
  wanted: dict[str, Any] = {
    "model.name": "relu_output",
    "data.distribution": "sparse_uniform",
    "data.target": "identity",
    "density.profile": "uniform",
    "importance.profile": "uniform",
  }
  require(values, "uniform_geometry", wanted)
  require_axes(values, "uniform_geometry", {"density": "density.base"})
  n, m = values["model.n_features"], values["model.n_hidden"]
  if n < 5 * m:
    raise UserError(
      f"config.model.n_features: {n} is not allowed with analysis 'uniform_geometry', which is "
      f"about many more features than dimensions; allowed: at least {5 * m} for n_hidden = {m}"
    )


def with_restarts(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset, dense first, with a dimension `restart` even if it had none."""
  dataset = dataset if "restart" in dataset.dims else dataset.expand_dims("restart")
  return dataset.transpose("density", "restart", ...).sortby("density", ascending=False)


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with every feature's component, the component's kind, and how many
  components of each kind there are."""
  del mesh, memory_budget
  W = dataset["W"].transpose(..., "hidden", "feature")
  dims, shape = W.dims[:-2], W.shape[:-2]
  number = np.full((*shape, W.shape[-1]), ABSENT, np.int32)
  kind = number.copy()
  count = np.zeros((*shape, len(KINDS)), np.int32)
  for at in np.ndindex(shape):
    if not np.isfinite(W.values[at]).all():
      continue
    for k, component in enumerate(components(W.values[at])):
      which = KINDS.index(component.name)
      number[at][component.features], kind[at][component.features] = k, which
      count[at][which] += 1
  return dataset.assign_coords(kind=list(KINDS)).assign(
    component=((*dims, "feature"), number, {"long_name": "component, largest first; −1 without"}),
    component_kind=((*dims, "feature"), kind, {"long_name": "index along `kind`; −1 without"}),
    kind_count=((*dims, "kind"), count, {"long_name": "components of this kind"}),
  )


def is_line(dimensionality: Float[np.ndarray, "..."], fraction: float) -> bool:
  """Returns whether dimensionalities gather at a fraction."""
  centre, *sides = (
    int((np.abs(dimensionality - fraction - shift) <= LINE_WIDTH).sum())
    for shift in (0, -LINE_APART, LINE_APART)
  )
  return centre >= LINE_FEATURES and centre >= LINE_CONTRAST * max(sides)


def component_sizes(W: Float[np.ndarray, "hidden feature"]) -> list[int]:
  """Returns the sizes of the components of represented features whose edges are inner products."""
  chosen = W[:, (W**2).sum(axis=0) > REPRESENTED]
  return [len(members) for members in connected(np.abs(chosen.T @ chosen) > EDGE)]


def curve_at(dataset: "xr.Dataset", x: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
  """Returns D* at the densities 1/x, by restart and interpolated in the logarithm, and whether a
  density of the sweep is near each of them."""
  inverse = 1 / dataset["density"].values
  near = np.array([np.min(np.abs(inverse / one - 1)) <= NEAR for one in x])
  lines = dataset["dimensions_per_feature"].transpose("restart", "density").values
  return np.array([np.interp(np.log(x), np.log(inverse), line) for line in lines]), near


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the trained models say about the paper's statements."""
  dataset = with_restarts(dataset)
  large = dataset.sizes["hidden"] >= LEAST_HIDDEN
  rest = [x for x in CURVE if x > max(PLATEAU)]
  dense = [x for x in CURVE if x < 2]
  return [
    _curve_claim(dataset, "dense: as many features' worth as dimensions", {1.0: 1.0}, 0.03, large),
    _curve_claim(dataset, "plateau of pairs", dict.fromkeys(PLATEAU, 0.5), 0.04, large),
    _curve_claim(dataset, "where the plateau begins", {2.0: CURVE[2.0]}, 0.05, large),
    _curve_claim(dataset, "after the plateau", {x: CURVE[x] for x in rest}, 0.05, large),
    _curve_claim(dataset, "before the plateau", {x: CURVE[x] for x in dense}, None, large),
    _monotone_claim(dataset, large),
    _sticky_claim(dataset, large),
    *_line_claims(dataset, large),
    _digon_claim(dataset, large),
    _sum_claim(dataset, large),
    _graph_claim(dataset, large),
    _kinds_claim(dataset),
  ]


def _curve_claim(
  dataset: "xr.Dataset",
  what: str,
  wanted: Mapping[float, float],
  tolerance: float | None,
  large: bool,
) -> Claim:
  """Returns the verdict on D* at some densities; without a tolerance the numbers only."""
  each, near = curve_at(dataset, list(wanted))
  mean, spread = each.mean(axis=0), np.ptp(each, axis=0)
  true = np.array(list(wanted.values()))
  listed = ", ".join(f"{x:g}" for x in wanted)
  measured = ", ".join(f"{a:.3f}" for a in mean)
  if len(each) > 1:
    measured += f" (range over seeds ≤ {spread.max():.3f})"
  expected = ", ".join(f"{a:g}" for a in true)
  statement = f"D* {what}, 1/(1−S) = {listed}"
  if tolerance is None:
    return Claim(statement, measured, f"{expected} (published curve)", REPORTED)
  return Claim(
    statement,
    measured,
    f"{expected}, each ±{tolerance:g}",
    verdict(bool(np.all(np.abs(mean - true) <= tolerance)), decided=large and bool(near.all())),
  )


def _monotone_claim(dataset: "xr.Dataset", large: bool) -> Claim:
  line = dataset["dimensions_per_feature"].mean("restart").values
  rise = np.max(line - np.minimum.accumulate(line), initial=0)
  return Claim(
    "sparser features never take more dimensions each: largest rise of D* (mean of seeds)",
    f"{rise:.3f}",
    "≤ 0.02",
    verdict(bool(rise <= 0.02), decided=large and len(line) > 2),
  )


def _sticky_claim(dataset: "xr.Dataset", large: bool) -> Claim:
  lines = dataset["dimensions_per_feature"].transpose("density", "restart").values
  counts = (np.abs(lines - 0.5) <= 0.03).sum(axis=0)
  return Claim(
    "D* stays at 1/2: densities at which it is within .03 of it, by seed",
    ", ".join(map(str, counts)),
    "≥ 3",
    verdict(bool(np.all(counts >= 3)), decided=large),
  )


def _line_claims(dataset: "xr.Dataset", large: bool) -> list[Claim]:
  """Returns which fractions are lines of the scatter plot where the paper's shows them."""
  D, inverse = dataset["feature_dimensionality"].values, 1 / dataset["density"].values
  found = {}
  for name, (low, high) in SEEN.items():
    inside = D[(inverse >= low) & (inverse <= high)]
    found[name] = [is_line(inside[:, k], FRACTIONS[name]) for k in range(D.shape[1])]
  apart = f"≥ {LINE_CONTRAST} × those {LINE_APART:g} away"
  definition = f"≥ {LINE_FEATURES} features within {LINE_WIDTH:g}, {apart}"
  others = [name for name in FRACTIONS if name != "1/2"]
  near = np.abs(D[..., None] - np.array(list(FRACTIONS.values()))).min(axis=-1) <= 0.02
  counted = (D >= 0.1) & (dataset["dimensions_per_feature"].values < 0.95)[..., None]
  share = near[counted].mean() if counted.any() else np.nan

  def seeds(names: Sequence[str]) -> str:
    return ", ".join(f"{name}: {sum(found[name])} of {D.shape[1]} seeds" for name in names)

  return [
    Claim(
      "dimensionalities gather at 1/2, where the paper shows it",
      seeds(["1/2"]),
      definition,
      verdict(all(found["1/2"]), decided=large),
    ),
    Claim(
      "dimensionalities gather at another fraction too, where the paper shows it",
      seeds(others),
      f"at least one of {', '.join(others)}, in every seed",
      verdict(any(all(found[name]) for name in others), decided=large),
    ),
    Claim(
      "the same at one density by itself: 1/(1−S) at which they do in some seed",
      _at_single_densities(D, inverse, others),
      "3/4: 1.2–1.5, 2/3: 1.5–2, 2/5: 3.6–5, 3/8: 4.3–5.3 in the paper's figure",
      REPORTED,
    ),
    Claim(
      "dimensionalities ≥ .1 within .02 of one of these fractions (models with D* < .95)",
      f"{share:.0%}",
      "26 % in the notebook's run",
      REPORTED,
    ),
  ]


def _at_single_densities(D: np.ndarray, inverse: np.ndarray, names: Sequence[str]) -> str:
  """Returns where dimensionalities (density, restart, feature) gather at each fraction."""
  parts = []
  for name in names:
    there = [
      x
      for x, seeds in zip(inverse, D, strict=True)
      if any(is_line(s, FRACTIONS[name]) for s in seeds)
    ]
    parts.append(f"{name}: {', '.join(f'{x:.1f}' for x in there) or 'none'}")
  return "; ".join(parts)


def _digon_claim(dataset: "xr.Dataset", large: bool) -> Claim:
  inverse = 1 / dataset["density"].values
  cells = dataset.isel(density=np.flatnonzero((inverse >= 2.2) & (inverse <= 3.4)))
  cells = cells.transpose("restart", "density", ...)
  represented = cells["feature_norm"].values ** 2 > REPRESENTED
  near = np.abs(cells["feature_dimensionality"].values - 0.5) < 0.03
  total = represented.sum(axis=(1, 2))
  share = (near & represented).sum(axis=(1, 2)) / np.maximum(total, 1)
  return Claim(
    "represented features with D within .03 of 1/2, 1/(1−S) from 2.2 to 3.4, by seed",
    ", ".join(f"{s:.1%}" for s in share),
    "≥ 95 %",
    verdict(bool(np.all(share >= 0.95)), decided=large and bool((total > 0).all())),
  )


def _sum_claim(dataset: "xr.Dataset", large: bool) -> Claim:
  m = dataset.sizes["hidden"]
  D = dataset["feature_dimensionality"].transpose("density", "restart", "feature").values
  error = np.abs(D.sum(axis=-1) / m - 1)
  return Claim(
    "all dimensions are used: |ΣD_i − m| / m, largest over densities and seeds",
    f"{error.max():.2%} (median {np.median(error):.2%})",
    "< 2 %",
    verdict(bool(error.max() < 0.02), decided=large and bool(np.isfinite(error).all())),
  )


def _graph_claim(dataset: "xr.Dataset", large: bool) -> Claim:
  """At the plateau the graph of inner products falls into pairs and nothing else."""
  cell = dataset.sel(density=1 / GRAPH_AT, method="nearest")
  x = 1 / float(cell["density"])
  W = cell["W"].transpose("restart", "hidden", "feature").values
  sizes = np.array([size for one in W for size in component_sizes(one)], int)
  n_pairs = int((sizes == 2).sum())
  return Claim(
    f"features in pairs: components of the graph of |W_i · W_j| > {EDGE:g}, 1/(1−S) = {x:.2f}",
    f"{n_pairs} of {len(sizes)} have two features",
    "all",
    verdict(bool(0 < len(sizes) == n_pairs), decided=large and abs(x / GRAPH_AT - 1) <= NEAR),
  )


def _kinds_claim(dataset: "xr.Dataset") -> Claim:
  """Which polytopes there are, and where."""
  parts = []
  for name in KINDS[:-1]:
    count = dataset["kind_count"].sel(kind=name)
    inverse = 1 / count["density"].where(count.sum("restart") > 0)
    if count.sum():
      low, high = float(inverse.min()), float(inverse.max())
      D = dataset["feature_dimensionality"].where(dataset["component_kind"] == KINDS.index(name))
      parts.append(f"{name} {int(count.sum())} (x {low:.1f}–{high:.1f}, D {float(D.median()):.3f})")
  return Claim(
    "components by kind: number in all models, where (x = 1/(1−S)), median D",
    "; ".join(parts) or "none",
    "D of N vectors in d dimensions: d/N",
    REPORTED,
  )


ANALYSIS = Analysis("The Geometry of Superposition", MEASURES, check, claims, run)
