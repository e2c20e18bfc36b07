"""The panel of dimensionality over density: D* and every D_i of features that are all alike."""

from typing import TYPE_CHECKING, Any

import numpy as np

from toy_superposition.report.packing import BYTES_EACH, evenly, pack, rounded
from toy_superposition.report.selection import is_trained

if TYPE_CHECKING:
  import xarray as xr

POINTS = 100  # dimensionalities drawn at a density
FEWEST = 6  # densities of a line


def applies(dataset: "xr.Dataset") -> bool:
  """Returns whether D* is known as a function of density alone: trained models of equally
  important features, no other axis but restarts, and at least FEWEST densities."""
  if not is_trained(dataset):
    return False
  if "dimensions_per_feature" not in dataset or "feature_dimensionality" not in dataset:
    return False
  dims = set(dataset["dimensions_per_feature"].dims)
  importance = dataset["feature_importance"].values
  return (
    {"density"} <= dims <= {"density", "restart"}
    and dataset.sizes["density"] >= FEWEST
    and bool((importance == importance.flat[0]).all())
    and bool((dataset["density"] > 0).all())
  )


def size(dataset: "xr.Dataset") -> float:
  """Returns the bytes of all densities."""
  return dataset.sizes["density"] * (
    POINTS * BYTES_EACH + 10 * (4 + dataset.sizes.get("restart", 1))
  )


def data(dataset: "xr.Dataset", room: float) -> dict[str, Any]:
  """Returns D* of every restart and evenly ranked D_i at every density, in about `room` bytes."""
  from toy_superposition.drawing.plots import FRACTIONS  # matplotlib

  n_densities = dataset.sizes["density"]
  kept = evenly(n_densities, int(n_densities * min(1, room / size(dataset))))
  small = dataset.isel(density=kept)
  whole = small["dimensions_per_feature"]
  D = small["feature_dimensionality"]
  ranked = np.sort(D.transpose("density", ...).values.reshape(len(kept), -1), axis=1)
  notes = [f"{len(kept)} of {n_densities} densities"] if len(kept) < n_densities else []
  if ranked.shape[1] > POINTS:
    notes.append(f"{POINTS} of {ranked.shape[1]} features at each density, evenly ranked by D")
  return {
    "notes": notes,
    "density": rounded(small["density"].values),
    "whole": rounded(whole.transpose("density", ...).values.reshape(len(kept), -1)),
    "D": pack(ranked[:, evenly(ranked.shape[1], POINTS)]),
    "guides": FRACTIONS,
  }
