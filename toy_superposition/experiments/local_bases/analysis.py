"""Inner products within and between two sets of features.

Paper, section "Correlated and Anticorrelated Features".
"""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh

from toy_superposition.geometry.components import singular_values
from toy_superposition.geometry.sets import products_between, products_within

if TYPE_CHECKING:
  import xarray as xr


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the inner products within and between the sets of every model."""
  del mesh, memory_budget
  W = dataset["W"].transpose(..., "hidden", "feature")
  dims, shape, m = W.dims[:-2], W.shape[:-2], W.sizes["hidden"]
  models = W.values.reshape(-1, *W.shape[-2:])
  within = np.array([np.abs(products_within(model, m)).max() for model in models])
  cross = np.array([products_between(model, m) for model in models])
  singular = singular_values(cross)
  return dataset.assign(
    within_sets=(dims, within.reshape(shape), {"long_name": "largest |W_i · W_j| within a set"}),
    cross_block=((*dims, "first", "second"), cross.reshape(*shape, m, m)),
    cross_singular_values=((*dims, "order"), singular.reshape(*shape, m)),
  )
