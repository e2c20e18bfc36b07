"""Collapsed pairs and expected loss of every model, and the loss of principal component analysis.

Paper, section "Collapsing of Correlated Features".
"""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments import restarts
from toy_superposition.experiments.correlated_collapse import theory
from toy_superposition.geometry import sets
from toy_superposition.models import AutoencoderParams
from toy_superposition.theory.sets_loss import expected_losses

if TYPE_CHECKING:
  import xarray as xr

N_PAIRS = 3


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with every model's number of collapsed pairs and expected loss, and PCA's
  loss.

  Where one arrangement gives way to another, their losses differ by less than sampled losses are
  uncertain.
  """
  del mesh, memory_budget
  dims = dataset["loss"].dims
  W = dataset["W"].transpose(*dims, "hidden", "feature").values
  flat = [sets.collapsed(model).sum() for model in W.reshape(-1, *W.shape[-2:])]
  number = np.array(flat, np.int8).reshape(W.shape[:-2])
  pca = theory.pca_loss(dataset["density"].values, N_PAIRS, dataset.sizes["hidden"])
  b = dataset["b"].transpose(*dims, "feature").values
  density = dataset["feature_density"].isel(feature=0).transpose(*dims).values
  losses = expected_losses(AutoencoderParams(W=W, b=b), density, set_size=2)
  return dataset.assign(
    expected_loss=(dims, losses, {"long_name": "expected loss, without sampling inputs"}),
    collapsed_pairs=(dims, number, {"long_name": "pairs whose columns have a cosine > .97"}),
    pca_loss=("density", pca, {"long_name": "loss of the best linear model"}),
  )


def best_of(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset at the restart of lowest expected loss, at every density."""
  return restarts.best(dataset.sortby("density").assign(loss=dataset["expected_loss"]))
