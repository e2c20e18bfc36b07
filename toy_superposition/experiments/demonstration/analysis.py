"""Counts of represented and of dedicated features, and inner products, of the basic results."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from toy_superposition.experiments import restarts
from toy_superposition.geometry.definitions import is_represented_norm

if TYPE_CHECKING:
  import xarray as xr

LINEAR, RELU = "linear", "relu_output"
# Σ_{j≠i} (Ŵ_i · W_j)² (no unit) below which a feature has a dimension to itself.
DEDICATED = 0.1
# A bias that is off by BIAS √p costs a thousandth of E x² = p/3.
BIAS = 0.018
PAIRS_AT = 0.3  # density at which the first pairs appear
SAME = 1e-3  # relative distance of densities that are equal
# Minimum number of times that a feature is active in training; with fewer nothing is decided. After
# 2 048 a linear model had not yet exchanged two features whose importances differ by a tenth; after
# 4 096 it had.
MIN_ACTIVE = 2500


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


def at(dataset: "xr.Dataset", density: float) -> tuple["xr.Dataset", bool]:
  """Returns the models nearest to a density, and whether they have it."""
  cell = dataset.sel(density=density, method="nearest")
  return cell, abs(float(cell["density"]) / density - 1) < SAME


def active_enough(dataset: "xr.Dataset") -> bool:
  """Returns whether even the rarest features were active often enough to be learned."""
  config = json.loads(dataset.attrs["config"])
  examples = config["train.steps"] * config["train.batch_size"]
  return examples * float(dataset["density"].min()) >= MIN_ACTIVE


def listed(values: Iterable[Any], format_spec: str = "d") -> str:
  """Returns the values in words, separated by commas."""
  return ", ".join(format(value, format_spec) for value in values)


def densities(dataset: "xr.Dataset") -> str:
  """Returns a dataset's densities in words."""
  return listed(dataset["density"].values, "g")
