"""Units that features share, features that have settled on one, and the training objective."""

import json
from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments.incidental_polysemanticity import theory

if TYPE_CHECKING:
  import xarray as xr

LARGEST = 2  # weights of a unit that are stored


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset of one number of units with counts of shared units, shares of features,
  and the two largest weights of the n most used units."""
  del mesh, memory_budget
  W = dataset["W"].transpose("restart", "hidden", "feature").values.astype(float)
  history = dataset["history_W"].transpose("step", "restart", "hidden", "feature")
  before = history.sel(step=0).values
  penalty = json.loads(dataset.attrs["config"])["loss.hidden_l1"]
  order = np.argsort(-np.abs(W), axis=-1)[..., :LARGEST]
  # Of input e_i, h = W_i: the mean over inputs of Σ|h| is that over columns.
  absolute = np.abs(W).sum(axis=-2).mean(axis=-1)
  own = {
    "n_shared": (theory.shared(W).sum(axis=-1), "units with two or more features"),
    "n_crowded": (theory.crowded(W).sum(axis=-1), "units with two features of one sign"),
    "n_used": ((np.abs(W) > theory.ON).any(axis=-1).sum(axis=-1), "units with a feature"),
    "settled": (theory.settled(W).mean(axis=-1), "share of features that have one unit"),
    "kept": (theory.kept(before, W).mean(axis=-1), "share of features on their first largest unit"),
    "objective": (dataset["loss"].values + penalty * absolute, "mean of loss + λ Σ|h|"),
  }
  largest = np.take_along_axis(W, order, axis=-1)
  # Units that are used first, as many as features: models of all sizes have these.
  first = np.argsort(-np.abs(largest[..., 0]), axis=-1)[:, : W.shape[-1], None]
  largest = np.take_along_axis(largest, first, axis=1)
  variables = {
    name: ("restart", values, {"long_name": about}) for name, (values, about) in own.items()
  }
  return dataset.assign(variables).assign(
    largest_weights=(
      ("restart", "unit", "rank"),
      largest,
      {"long_name": "largest weights of the most used units"},
    )
  )
