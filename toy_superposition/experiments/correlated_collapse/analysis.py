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
SCRAMBLINGS = range(1, 8)  # of the points on which the best model, chosen on those of 0, is judged


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with every model's number of collapsed pairs and expected loss, and PCA's
  loss.

  Where one arrangement gives way to another, their losses differ by less than sampled losses are
  uncertain. `expected_loss`, on one set of points, chooses the best model; its loss, and whether it
  is lower than those with other numbers of pairs, comes from `scrambled_loss`, on other sets.
  """
  del mesh, memory_budget
  dims = dataset["loss"].dims
  W = dataset["W"].transpose(*dims, "hidden", "feature").values
  flat = [sets.collapsed(model).sum() for model in W.reshape(-1, *W.shape[-2:])]
  number = np.array(flat, np.int8).reshape(W.shape[:-2])
  pca = theory.pca_loss(dataset["density"].values, N_PAIRS, dataset.sizes["hidden"])
  b = dataset["b"].transpose(*dims, "feature").values
  density = dataset["feature_density"].isel(feature=0).transpose(*dims).values
  params = AutoencoderParams(W=W, b=b)
  losses = expected_losses(params, density, set_size=2)
  others = [expected_losses(params, density, set_size=2, seed=seed) for seed in SCRAMBLINGS]
  return dataset.assign(
    expected_loss=(dims, losses, {"long_name": "expected loss, without sampling inputs"}),
    scrambled_loss=(
      (*dims, "scrambling"),
      np.stack(others, axis=-1),
      {"long_name": "expected loss on other sets of points"},
    ),
    collapsed_pairs=(dims, number, {"long_name": "pairs whose columns have a cosine > .97"}),
    pca_loss=("density", pca, {"long_name": "loss of the best linear model"}),
  )


def best_of(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset at the restart of lowest expected loss, at every density.

  Its `loss` is that on the sets of points that did not choose it, and `clear` is whether all models
  with another number of collapsed pairs have a higher one, beyond restarts.TIE standard errors.
  """
  dataset = restarts.with_restarts(dataset.sortby("density"))
  dataset = dataset.assign(loss=dataset["expected_loss"])
  best = restarts.best(dataset)
  # The lowest of each other number, chosen as the best is.
  other = dataset["collapsed_pairs"] != best["collapsed_pairs"]
  clear = np.ones(dataset.sizes["density"], bool)
  for number in range(N_PAIRS + 1):
    rivals = other & (dataset["collapsed_pairs"] == number)
    loss = restarts.ranked_loss(dataset).where(rivals, np.inf)
    rival = dataset["scrambled_loss"].isel(restart=loss.argmin("restart"))
    difference = (rival - best["scrambled_loss"]).transpose("density", "scrambling").values
    error = difference.std(axis=1, ddof=1) / difference.shape[1] ** 0.5
    higher = difference.mean(axis=1) > restarts.TIE * error
    clear &= higher | np.isinf(loss.min("restart").values)
  return best.assign(loss=best["scrambled_loss"].mean("scrambling"), clear=("density", clear))
