"""Whether the latent of a narrow autoencoder is the eigenvector that theory says."""

import json
from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.dictionaries import all_finite
from toy_superposition.experiments.experiment import Claim, verdict

if TYPE_CHECKING:
  import xarray as xr

MIN_SEEDS, MIN_FIRING = 10, 3  # of which so many fire at every probability of the child
# Radians. The penalty λ = 1e-3 shifts the minimum by about λ over the difference of the two
# eigenvalues, which is at least .04 here; gradient noise of the last steps is of the same size.
TOLERANCE = 0.03
VERIFIED = (0.25, 0.2, 0.970, 0.243)  # parent, child given the parent, and the latent's cosines
DIGITS = 0.005


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on hedging."""
  decided = dataset.sizes["seed"] >= MIN_SEEDS and all_finite(dataset)
  rows = []
  for activity, bias, what in (
    ("tree", True, "a child that needs its parent, with a decoder bias"),
    ("tree", False, "a child that needs its parent, without a decoder bias"),
    ("independent", True, "an independent feature, with a decoder bias"),
    ("independent", False, "an independent feature, without a decoder bias"),
  ):
    if activity in dataset["activity"].values and bias in dataset["bias"].values:
      rows.append(_angle_claim(dataset.sel(activity=activity, bias=bias), bias, what, decided))
  return [*rows, *_verified_claim(dataset, decided)]


def _angle_claim(part: "xr.Dataset", bias: bool, what: str, decided: bool) -> Claim:
  """Whether the angle of every latent from its parent is the eigenvector's."""
  fires = part["fires"].astype(bool)
  error = abs(part["angle"] - part["predicted_angle"]).where(fires)
  matrix = "covariance" if bias else "second moment"
  enough = bool((fires.sum("seed") >= MIN_FIRING).all())
  return Claim(
    f"the only latent, if it fires at all, beside {what}, is the top eigenvector of the {matrix}",
    f"largest difference of angles {float(error.max()):.3f}, mean {float(error.mean()):.3f}; "
    f"{int((~fires).sum())} of {fires.size} latents are silent from the beginning",
    f"at most {TOLERANCE} radians at every probability of the child, in every seed",
    verdict(bool((error.fillna(0) <= TOLERANCE).all()), decided and enough),
  )


def _verified_claim(dataset: "xr.Dataset", decided: bool) -> list[Claim]:
  """The cosines that were verified by direct minimisation."""
  parent, child, first, second = VERIFIED
  base = json.loads(dataset.attrs["config"])["density.base"]
  at = np.flatnonzero(np.isclose(dataset["child"].values, child))
  there = "tree" in dataset["activity"].values and True in dataset["bias"].values
  if base != parent or not len(at) or not there:
    return []
  part = dataset.sel(activity="tree", bias=True).isel(child=at[0])
  angle = part["angle"].where(part["fires"].astype(bool))
  cosines = float(np.cos(angle).mean()), float(np.sin(angle).mean())
  near = abs(cosines[0] - first) <= DIGITS and abs(cosines[1] - second) <= DIGITS
  return [
    Claim(
      f"cosines of the latent with parent and child (P = {parent:g}, {child:g} given the parent)",
      f"{cosines[0]:.3f}, {cosines[1]:.3f}",
      f"{first:g}, {second:g} by direct minimisation, within {DIGITS:g}",
      verdict(near, decided),
    )
  ]
