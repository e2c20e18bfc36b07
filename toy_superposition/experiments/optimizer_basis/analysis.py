"""How far the columns of W lie along the axes, compared with random rotations of the same W.

The measure is the fourth moment, the mean of Σ_h Ŵ_hi⁴ over the features.
"""

from typing import TYPE_CHECKING

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition.geometry.rotations import fourth_moment, random_rotations

if TYPE_CHECKING:
  import xarray as xr

OPTIMIZERS = ("adam", "sgd")
ROTATIONS = 400  # of every model
MIN_NORM = 0.3  # ‖W_i‖; the direction of a column that is not longer does not count


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the fourth moments of every model.

  They are `fourth_moment`, of W itself, and `rotated_fourth_moment` (with a last axis, `rotation`),
  of random rotations of W.
  """
  del mesh, memory_budget
  W = dataset["W"].transpose(*dataset["loss"].dims, "hidden", "feature").values
  flat = W.reshape(-1, *W.shape[-2:])
  rotations = random_rotations(np.random.default_rng(0), ROTATIONS, W.shape[-2])
  moments = jax.jit(jax.vmap(lambda weights: fourth_moment(weights, MIN_NORM)))
  own = np.asarray(moments(flat))
  rotated = np.stack([np.asarray(moments(rotations @ weights)) for weights in flat])
  dims, shape = dataset["loss"].dims, dataset["loss"].shape
  return dataset.assign(
    fourth_moment=(dims, own.reshape(shape)),
    rotated_fourth_moment=((*dims, "rotation"), rotated.reshape(*shape, -1)),
  )


def z_score(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns how many standard deviations each fourth moment is above the random rotations' mean."""
  random = dataset["rotated_fourth_moment"]
  return (dataset["fourth_moment"] - random.mean("rotation")) / random.std("rotation")
