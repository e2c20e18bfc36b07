"""Local bases: whether each of two sets is orthogonal, in the dimensions that both share.

Paper, section "Correlated and Anticorrelated Features".
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.sharding import Mesh

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
from toy_superposition.geometry.sets import products_between, products_within
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

SPARSE = (0.01, 0.05)  # densities at which the statements were verified; the paper names none
WITHIN, NORM, D = 0.08, 0.05, 0.02  # tolerances; the norms' are around 1, D's around 1/2
CROSS = 0.05  # of ‖C‖_F², relative to the number of dimensions


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the paper's statements are not about the experiment."""
  del axes, groups
  wanted: dict[str, Any] = {
    "model.name": "relu_output",
    "data.distribution": "correlated_sets",
    "data.target": "identity",
    "density.profile": "uniform",
    "importance.profile": "uniform",
  }
  require(values, "local_bases", wanted)
  require_axes(values, "local_bases", {"density": "density.base"})
  n, m, size = (values[f] for f in ("model.n_features", "model.n_hidden", "data.set_size"))
  if not n == 2 * m == 2 * size:
    raise UserError(
      f"config.data.set_size: {size} of {n} features is not allowed with analysis 'local_bases'; "
      f"allowed: two sets, each as large as config.model.n_hidden = {m}"
    )


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the inner products within and between the sets of every model."""
  del mesh, memory_budget
  W = dataset["W"].transpose(..., "hidden", "feature")
  dims, shape, m = W.dims[:-2], W.shape[:-2], W.sizes["hidden"]
  models = W.values.reshape(-1, *W.shape[-2:])
  within = np.array([np.abs(products_within(one, m)).max() for one in models])
  cross = np.array([products_between(one, m) for one in models])
  singular = np.array([np.linalg.svd(C, compute_uv=False) for C in cross])
  return dataset.assign(
    within_sets=(dims, within.reshape(shape), {"long_name": "largest |W_i · W_j| within a set"}),
    cross_block=((*dims, "first", "second"), cross.reshape(*shape, m, m)),
    cross_singular_values=((*dims, "order"), singular.reshape(*shape, m)),
  )


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the trained models say about the paper's statement."""
  dataset = dataset if "restart" in dataset.dims else dataset.expand_dims("restart")
  low, high = SPARSE
  p = dataset["density"].values
  sparse = dataset.isel(density=np.flatnonzero((p >= low * 0.999) & (p <= high * 1.001)))
  m = dataset.sizes["hidden"]
  norm, cross = dataset["feature_norm"], (dataset["cross_block"] ** 2).sum(["first", "second"])
  within, off = dataset["within_sets"], abs(norm - 1).max("feature")
  share = dataset["feature_dimensionality"].mean("feature")
  rows = [
    ("each set is almost orthogonal: largest |W_i · W_j| within a set", within, 0.0, WITHIN),
    ("all features are represented: largest |‖W_i‖ − 1|", off, 0.0, NORM),
    ("the sets share all dimensions: ‖C‖_F² of the block between them", cross, float(m), CROSS * m),
    ("dimensionality, mean", share, 0.5, D),
  ]
  return [
    *(_claim(sparse, what, values, *numbers) for what, values, *numbers in rows),
    _spectrum_claim(sparse),
    _dense_claim(dataset),
  ]


def _claim(
  sparse: "xr.Dataset", what: str, values: "xr.DataArray", ideal: float, tolerance: float
) -> Claim:
  """Returns the verdict on a number of the best restart at every sparse density."""
  cells = sparse.assign(value=values.sel(density=sparse["density"]))
  best = restarts.best(cells)["value"].values
  every = cells["value"].transpose("density", "restart").values
  listed = ", ".join(f"{x:g}" for x in sparse["density"].values)
  spread = "; ".join(f"{row.min():.3f}–{row.max():.3f}" for row in every)
  return Claim(
    f"{what} (p = {listed})",
    f"{', '.join(f'{x:.3f}' for x in best)} (all restarts: {spread})",
    f"{ideal:g} ± {tolerance:g}",
    verdict(bool(np.all(np.abs(best - ideal) <= tolerance)), decided=len(best) > 0),
  )


def _spectrum_claim(sparse: "xr.Dataset") -> Claim:
  """One basis is a rotation of the other, and not its mirror image feature by feature."""
  best = restarts.best(sparse)
  singular, C = best["cross_singular_values"].values, best["cross_block"].values
  near = f"{singular.min():.2f}–{singular.max():.2f}" if singular.size else "–"
  entries = f"{C.min():.2f} to {C.max():.2f}" if C.size else "–"
  return Claim(
    "singular values of the block between the sets, and its entries",
    f"{near}; {entries}",
    "near 1: minus a rotation, verified as .95–1.18; not pairs: entries −.87 to .44",
    REPORTED,
  )


def _dense_claim(dataset: "xr.Dataset") -> Claim:
  best = restarts.best(dataset)
  dense = best.isel(density=int(np.argmax(best["density"].values)))
  return Claim(
    f"densest (p = {float(dense['density']):g}): least norm, least singular value of the block",
    f"{float(dense['feature_norm'].min()):.2f}, {float(dense['cross_singular_values'].min()):.2f}",
    "at p = .2 a weak feature, rank 9 of 10",
    REPORTED,
  )


MEASURES = ("feature_norm", "feature_dimensionality")
ANALYSIS = Analysis("Correlated and Anticorrelated Features", MEASURES, check, claims, run)
