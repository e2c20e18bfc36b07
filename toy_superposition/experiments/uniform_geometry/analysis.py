"""The geometric components of every model, and the curve of D* over density.

Paper, section "The Geometry of Superposition".
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float

from toy_superposition.experiments import restarts
from toy_superposition.geometry.components import IDEALS, components, connected
from toy_superposition.geometry.definitions import is_represented

if TYPE_CHECKING:
  import xarray as xr

KINDS = (*IDEALS, "unknown")
ABSENT = -1  # component and kind of a feature that is not represented
# A cluster of dimensionalities at a fraction: a minimum number of features within the half-width of
# the fraction, and a minimum ratio of that number to those in windows of the same width at this
# distance on either side.
CLUSTER_FEATURES, CLUSTER_WIDTH, CLUSTER_DISTANCE, CLUSTER_CONTRAST = 10, 0.005, 0.0125, 2
EDGE = 0.1  # |W_i · W_j| (no unit) above which the graph has an edge
NEAR = 0.06  # relative distance up to which a density of the sweep stands for another


def ordered(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset with axes density (dense first) and restart, even if it had none."""
  dataset = restarts.with_restarts(dataset)
  return dataset.transpose("density", "restart", ...).sortby("density", ascending=False)


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the component of every feature, the component's kind, and the number
  of components of each kind."""
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


def is_cluster(dimensionality: Float[np.ndarray, "..."], fraction: float) -> bool:
  """Returns whether dimensionalities cluster at a fraction: a line of the scatter plot."""
  centre, *sides = (
    int((np.abs(dimensionality - fraction - shift) <= CLUSTER_WIDTH).sum())
    for shift in (0, -CLUSTER_DISTANCE, CLUSTER_DISTANCE)
  )
  return centre >= CLUSTER_FEATURES and centre >= CLUSTER_CONTRAST * max(sides)


def component_sizes(W: Float[np.ndarray, "hidden feature"]) -> list[int]:
  """Returns the sizes of the components of the graph of represented features whose edges are inner
  products above EDGE."""
  chosen = W[:, is_represented(W)]
  return [len(members) for members in connected(np.abs(chosen.T @ chosen) > EDGE)]


def curve_at(
  dataset: "xr.Dataset", x: Sequence[float]
) -> tuple[Float[np.ndarray, "restart point"], Bool[np.ndarray, "point"]]:
  """Returns D* at the densities 1/x, and whether a density of the sweep is near each of them.

  Args:
    dataset: as `ordered` returns it.
    x: inverse densities 1/(1 − S), between which D* is interpolated in the logarithm.
  """
  inverse = 1 / dataset["density"].values
  near = np.array([np.min(np.abs(inverse / point - 1)) <= NEAR for point in x])
  lines = dataset["dimensions_per_feature"].transpose("restart", "density").values
  return np.array([np.interp(np.log(x), np.log(inverse), line) for line in lines]), near
