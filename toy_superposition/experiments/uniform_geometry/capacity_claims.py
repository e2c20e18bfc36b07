"""Dimensionality as capacity and as leverage, and the components of bipyramids.

Scherlis et al., "Polysemanticity and Capacity in Neural Networks" (2022); F. Zhang's comment on the
paper; the paper, section "The Geometry of Superposition".
"""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.experiment import Claim, identity, verdict
from toy_superposition.experiments.uniform_geometry.analysis import KINDS, component_shapes
from toy_superposition.geometry.capacity import capacities, leverages

if TYPE_CHECKING:
  import xarray as xr

ROUND_OFF = 1e-4  # of a stored dimensionality, whose sums are in float32
LEVERAGE = 0.02  # as for a dimensionality near a fraction
ALL_USED = 0.02  # |ΣD_i − m| / m of a model that uses all its dimensions, as in claims.py
BIPYRAMID = (5, 3)  # features and dimensions of the triangular one


def claims(dataset: "xr.Dataset", large: bool) -> list[Claim]:
  """Returns the verdicts; `dataset` is in the order of density."""
  W = dataset["W"].transpose("density", "restart", "hidden", "feature").values.astype(float)
  stored = dataset["feature_dimensionality"].transpose("density", "restart", "feature").values
  return [
    *_capacity_claims(W, stored),
    *_leverage_claims(W, stored, large),
    _bipyramid_claim(dataset, large),
  ]


def _capacity_claims(W: np.ndarray, stored: np.ndarray) -> list[Claim]:
  C, m = capacities(W), W.shape[-2]
  off, total = np.nanmax(np.abs(C - stored)), np.nanmax(C.sum(axis=-1))
  return [
    Claim(
      "a feature's dimensionality D_i is its capacity (W_i·W_i)² / Σ_j (W_i·W_j)²",
      f"largest difference {off:.1e}",
      "the same fraction, extended by ‖W_i‖² (Scherlis et al.)",
      identity(bool(off <= ROUND_OFF)),
    ),
    Claim(
      "capacities of all features add up to no more than the hidden dimensions",
      f"largest sum {total:.3f} of {m}",
      f"≤ {m} (Scherlis et al.: D_i ≤ leverage score, and these add up to the rank)",
      identity(bool(total <= m * (1 + ROUND_OFF))),
    ),
  ]


def _leverage_claims(W: np.ndarray, D: np.ndarray, large: bool) -> list[Claim]:
  h, condition = leverages(W)
  ratio = h / np.where(D > 0, D, 1)
  bound = (condition + 1) ** 2 / (4 * condition)
  within = (D >= 0) & (ratio <= bound[..., None] * (1 + ROUND_OFF)) & (h >= D - ROUND_OFF)
  used = np.abs(D.sum(axis=-1) / W.shape[-2] - 1) <= ALL_USED
  off = (h - D)[used]
  worst = off.max(initial=0)
  return [
    Claim(
      "a feature's dimensionality D_i is its leverage score h_i = (W⁺W)_ii where WWᵀ is a multiple "
      "of the identity, and otherwise smaller by no more than the condition κ of WWᵀ allows",
      f"h_i/D_i ≤ {np.nanmax(ratio):.3f} with κ ≤ {np.nanmax(condition):.3g}",
      "1 ≤ h_i/D_i ≤ (κ + 1)²/4κ (Cauchy, Kantorovich)",
      identity(bool(within[np.isfinite(condition)].all())),
    ),
    Claim(
      "a feature's dimensionality D_i is its leverage score h_i in trained models that use all "
      "their dimensions: largest difference",
      f"{worst:.4f} in {used.sum()} of {used.size} models",
      f"≤ {LEVERAGE:g} where ΣD_i = m ± {ALL_USED:.0%} (F. Zhang)",
      verdict(bool(worst <= LEVERAGE), decided=large and bool(used.any())),
    ),
  ]


def _bipyramid_claim(dataset: "xr.Dataset", large: bool) -> Claim:
  """A bipyramid is a triangle beside a digon, in orthogonal subspaces."""
  shapes = component_shapes(dataset)
  count = dataset["kind_count"]
  both = (count.sel(kind="triangle") > 0) & (count.sel(kind="digon") > 0)
  measured = (
    f"{shapes.count(BIPYRAMID)} of {len(shapes)} components; {int(both.sum())} models with "
  )
  measured += "triangles beside digons"
  if both.any():
    beside = dataset["feature_dimensionality"].where(both)
    kinds = dataset["component_kind"]
    triangle, digon = (
      float(beside.where(kinds == KINDS.index(name)).median()) for name in ("triangle", "digon")
    )
    measured += f", of median D {triangle:.3f} and {digon:.3f}"
  return Claim(
    "no component has five features in three dimensions, all of D = 3/5: a triangular bipyramid is "
    "a triangle and a digon, each with its own dimensionality",
    measured,
    "0 components, and models in which a triangle and a digon could have been one",
    verdict(BIPYRAMID not in shapes, decided=large and bool(both.any())),
  )
