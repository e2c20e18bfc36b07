"""The plane of the phase change: the density at which superposition begins, read off a map.

Paper, section "Superposition as a Phase Change". A map has the phase of the extra feature, the last
one, over relative importance and density.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.theory.phase_change import Phase

if TYPE_CHECKING:
  import xarray as xr

PLANE = ("relative_importance", "density")
FIELDS = {"relative_importance": "importance.ratio", "density": "density.base"}  # axis → field


def boundary(phase: "xr.DataArray") -> tuple[np.ndarray, float]:
  """Returns the density at which superposition begins, and the factor by which it is uncertain.

  It lies between the densest cell in superposition and the next denser one. The density is their
  geometric mean, one per relative importance; nan where no cell, or the densest of all, is in
  superposition. The factor is the square root of the ratio of neighbouring densities.

  Args:
    phase: phase_change.Phase over PLANE.
  """
  phase = phase.transpose(*PLANE).sortby("density")
  density = phase["density"].values
  superposed = phase.values == Phase.SUPERPOSITION
  last = len(density) - 1 - np.argmax(superposed[:, ::-1], axis=1)
  known = superposed.any(axis=1) & (last < len(density) - 1)
  upper = np.minimum(last + 1, len(density) - 1)
  middle = np.where(known, np.sqrt(density[last] * density[upper]), np.nan)
  return middle, float(np.sqrt(np.max(density[1:] / density[:-1]))) if len(density) > 1 else np.inf


def boundary_at(phase: "xr.DataArray", relative_importance: Sequence[float]) -> np.ndarray:
  """Returns the density of `boundary` at relative importances, interpolated in the logarithms.

  It is nan outside of the relative importances at which the boundary is known.
  """
  phase = phase.sortby(PLANE[0])
  middle, _ = boundary(phase)
  r = np.log(phase[PLANE[0]].values)
  known = np.isfinite(middle)
  if not known.any():
    return np.full(len(relative_importance), np.nan)
  x = np.log(relative_importance)
  inside = np.interp(x, r[known], np.log(middle[known]), left=np.nan, right=np.nan)
  # The ends of the axis are not exact in floating point.
  ends = np.isclose(x, r[known][0]) | np.isclose(x, r[known][-1])
  nearest = np.interp(x, r[known], np.log(middle[known]))
  return np.exp(np.where(ends, nearest, inside))
