"""Counts of represented and of dedicated features, and inner products, of the basic results."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from toy_superposition.experiments import restarts
from toy_superposition.geometry.definitions import is_represented_norm

if TYPE_CHECKING:
  import xarray as xr

LINEAR, RELU = "linear", "relu_output"
# Σ_{j≠i} (Ŵ_i · W_j)² (no unit) below which a feature has a dimension to itself.
DEDICATED = 0.1


def ordered(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset with axes model, density (dense first) and restart, even if it had none."""
  dataset = restarts.with_restarts(dataset)
  return dataset.transpose("model", "density", "restart", ...).sortby("density", ascending=False)


def n_represented(dataset: "xr.Dataset") -> Int[np.ndarray, "..."]:
  """Returns the number of represented features of every model."""
  norm = dataset["feature_norm"]
  chosen = is_represented_norm(norm.values)
  return np.asarray(chosen.sum(axis=norm.get_axis_num("feature")))


def n_dedicated(dataset: "xr.Dataset") -> Int[np.ndarray, "..."]:
  """Returns the number of represented features with a dimension to themselves, of every model."""
  norm, overlap = dataset["feature_norm"], dataset["superposition"]
  alone = is_represented_norm(norm.values) & (overlap.values < DEDICATED)
  return np.asarray(alone.sum(axis=norm.get_axis_num("feature")))


def inner_products(W: Float[np.ndarray, "hidden feature"]) -> Float[np.ndarray, "pair"]:
  """Returns W_i · W_j of every pair of features."""
  return (W.T @ W)[np.triu_indices(W.shape[1], 1)]
