"""The lines of the paper's scatter plot: where the paper has them, and what a line is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

if TYPE_CHECKING:
  import xarray as xr

# 1/(1 − S) between which the published scatter plot shows a line at the polytope's dimensionality.
# Beyond it, and above all in the continuum from 5.2 on, dimensionalities of all sizes would count
# as the line's surroundings.
SHOWN = {
  "tetrahedron": (1.17, 1.5),
  "triangle": (1.54, 1.95),
  "digon": (1.67, 4.3),
  "pentagon": (3.6, 5.0),
  "square antiprism": (4.3, 5.3),
}
# The polytope of each fraction's line.
LINES = {
  "3/4": "tetrahedron",
  "2/3": "triangle",
  "1/2": "digon",
  "2/5": "pentagon",
  "3/8": "square antiprism",
}
FRACTIONS = {"3/4": 3 / 4, "2/3": 2 / 3, "1/2": 1 / 2, "2/5": 2 / 5, "3/8": 3 / 8}
NEAR_LINE = 0.02  # of a dimensionality, as in the audit of the notebook's run
COUNTED = 0.1  # minimum of the dimensionalities in that audit's share
# A cluster of dimensionalities at a fraction: a minimum number of features within the half-width of
# the fraction, and a minimum ratio of that number to those in windows of the same width at this
# distance on either side.
CLUSTER_FEATURES, CLUSTER_WIDTH, CLUSTER_DISTANCE, CLUSTER_CONTRAST = 10, 0.005, 0.0125, 2


def is_cluster(dimensionality: Float[np.ndarray, "..."], fraction: float) -> bool:
  """Returns whether dimensionalities cluster at a fraction: a line of the scatter plot."""
  centre, *sides = (
    int((np.abs(dimensionality - fraction - shift) <= CLUSTER_WIDTH).sum())
    for shift in (0, -CLUSTER_DISTANCE, CLUSTER_DISTANCE)
  )
  return centre >= CLUSTER_FEATURES and centre >= CLUSTER_CONTRAST * max(sides)


def near_fraction(
  dimensionality: Float[np.ndarray, "*cell"], distance: float
) -> Bool[np.ndarray, "*cell"]:
  """Returns which dimensionalities are within a distance of one of FRACTIONS."""
  fractions = np.array(list(FRACTIONS.values()))
  return np.abs(dimensionality[..., None] - fractions).min(axis=-1) <= distance


def counted(dataset: "xr.Dataset") -> Bool[np.ndarray, "density restart feature"]:
  """Returns which dimensionalities enter a share of those on lines, as in the audit of the
  notebook's run: COUNTED or more, of models with D* below .95."""
  D = dataset["feature_dimensionality"].transpose("density", "restart", "feature").values
  star = dataset["dimensions_per_feature"].transpose("density", "restart").values
  return (D >= COUNTED) & (star < 0.95)[..., None]


def alternatives(names: Sequence[str]) -> str:
  """Returns "a, b or c"."""
  return f"{', '.join(names[:-1])} or {names[-1]}"
