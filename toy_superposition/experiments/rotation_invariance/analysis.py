"""Losses and purities of both models before and after random rotations of their hidden layers."""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments import rotations
from toy_superposition.geometry.definitions import purity
from toy_superposition.geometry.rotations import random_rotations

if TYPE_CHECKING:
  import xarray as xr

MODELS = {"relu_output": False, "relu_hidden": True}  # whether a rotation matters
# Where the paper has a feature per neuron with a ReLU, and where neurons are shared.
DENSE, SPARSE = 0.75, 0.1
DENSITIES = (DENSE, SPARSE)
BASES = 256  # random ones in which the purities of a model are computed


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the losses of every model before and after rotations, and the mean
  purity of its hidden units in its own basis and in random ones."""
  import xarray as xr

  del memory_budget
  parts = [
    rotations.with_rotations(dataset.sel(model=name), mesh, **{"model.name": name})
    for name in dataset["model"].values.tolist()
  ]
  return with_purity(xr.concat(parts, "model", data_vars="all").transpose("model", ...))


def with_purity(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset with `purity`, the mean over the hidden units of every model (a share, 0 to
  1; definitions.purity), and `rotated_purity`, the same in random bases (last axis `basis`)."""
  dims = dataset["loss"].dims
  W = dataset["W"].transpose(*dims, "hidden", "feature").values
  rotation = random_rotations(np.random.default_rng(0), BASES, W.shape[-2])
  rotated = purity(rotation @ W[..., None, :, :]).mean(axis=-1)
  return dataset.assign(
    purity=(dims, purity(W).mean(axis=-1)), rotated_purity=((*dims, "basis"), rotated)
  )


def z_score(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns how many standard deviations the purity of each model is above that in random bases."""
  random = dataset["rotated_purity"]
  return (dataset["purity"] - random.mean("basis")) / random.std("basis")
