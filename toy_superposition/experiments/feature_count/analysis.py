"""The numbers by which models of different sizes are compared.

Paper, section "The Geometry of Superposition".
"""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float

from toy_superposition import evaluation
from toy_superposition.experiments import restarts
from toy_superposition.geometry.definitions import REPRESENTED, is_represented_norm
from toy_superposition.records import schema

if TYPE_CHECKING:
  import xarray as xr

AXES = ("m", "density", "n", "restart")
MANY = 8  # minimum n / m of "many more features than dimensions"
SPARE = 1 / 3  # minimum share of absent features, without which n would limit their number
# Maximum share of ‖W‖²_F that absent features hold in a converged model; at first they hold all of
# it. As long as norms are even and n ≫ m, no ReLU ever clips: interference has the variance
# p m / (3 n), about a bias of p/2. The model is linear, all subspaces of m dimensions are equally
# good with D* = 1, and only the noise of gradients leads out of it.
CONVERGED = 0.02


def absent_loss(density: "xr.DataArray") -> "xr.DataArray":
  """Returns the loss of a feature without a direction: the variance p/3 − p²/4 of its values, at
  the bias p/2."""
  return density / 3 - density**2 / 4


def interference(
  W: Float[np.ndarray, "hidden feature"], chosen: Bool[np.ndarray, "feature"]
) -> Float[np.ndarray, "chosen"]:
  """Returns Σ_{j≠i} (Ŵ_i · W_j)² of the chosen features, the sum over all others.

  It is computed from W Wᵀ: a matrix of all pairs would not fit in memory for many features.
  """
  W = W.astype(float)
  mine = W[:, chosen]
  squared = (mine**2).sum(axis=0)
  return np.einsum("hi,hk,ki->i", mine, W @ W.T, mine) / squared - squared


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset of one model size with the numbers by which sizes are compared."""
  del memory_budget
  m = dataset.sizes["hidden"]
  norm = dataset["feature_norm"].astype(float)
  squared = norm**2
  represented = norm.copy(data=is_represented_norm(norm.values))
  absent = absent_loss(dataset["density"])
  relative = (dataset["feature_loss"] / absent).where(represented)
  W = dataset["W"].transpose(*represented.dims[:-1], "hidden", "feature").values
  between = np.full(represented.shape[:-1], np.nan)
  for at in np.ndindex(between.shape):
    chosen = represented.values[at]
    if chosen.any():
      between[at] = interference(W[at], chosen).mean()
  numbers = {
    "represented_per_dimension": (represented.sum("feature") / m, "represented features / m"),
    "absent_share": (
      squared.where(~represented).sum("feature") / squared.sum("feature"),
      f"share of ‖W‖²_F that features with ‖W_i‖² ≤ {REPRESENTED:g} hold",
    ),
    "relative_loss": (
      relative.mean("feature"),
      "mean loss of a represented feature / that of an absent one",
    ),
    "loss_saved": (
      saved(dataset["feature_loss"], dataset),
      "loss saved per hidden dimension / loss of an absent feature",
    ),
    "interference": (
      (represented.dims[:-1], between),
      "mean of Σ_{j≠i} (Ŵ_i · W_j)² over represented features",
    ),
  }
  dataset = dataset.assign({name: value for name, (value, _) in numbers.items()})
  for name, (_, long_name) in numbers.items():
    # A model that diverged has no number, rather than 0.
    dataset[name] = dataset[name].where(dataset["finite"] == 1)
    dataset[name].attrs = {"long_name": long_name}
  return dataset.assign(judged_saved=judged_saved(dataset, mesh))


def saved(feature_loss: "xr.DataArray", dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns what represented features save per hidden dimension / the loss of an absent one."""
  norm = dataset["feature_norm"].astype(float)
  represented = norm.copy(data=is_represented_norm(norm.values))
  relative = (feature_loss / absent_loss(dataset["density"])).where(represented)
  return (1 - relative).sum("feature") / dataset.sizes["hidden"]


def judged_saved(dataset: "xr.Dataset", mesh: Mesh) -> "xr.DataArray":
  """Returns `loss_saved` of the restart that saves most, on examples that did not choose it."""
  chosen = dataset
  if "restart" in dataset.dims:
    most = dataset["loss_saved"].fillna(-np.inf).argmax("restart")
    chosen = dataset.isel(restart=most).drop_vars("restart")
  n_samples = schema.config(dataset)["evaluation.n_samples"]
  losses = restarts.batch_losses(chosen, n_samples, evaluation.JUDGING, mesh, by_feature=True)
  value = saved(losses.mean("batch"), chosen).where(chosen["finite"] == 1)
  return value.assign_attrs(long_name="loss_saved of the best restart, on other examples")


def ordered(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the gathered dataset of all sizes with its dimensions in the order of AXES, dense
  first, and a restart even if it had none."""
  dataset = restarts.with_restarts(dataset)
  return dataset.transpose(*AXES, ...).sortby("density", ascending=False)


def many(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns where there are many more features than dimensions, and some to spare."""
  ratio = dataset["n"] / dataset["m"]
  spare = 1 - dataset["represented_per_dimension"].mean("restart") / ratio
  return (ratio >= MANY) & (spare >= SPARE)


def converged(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns where training has converged in all seeds, none of which diverged."""
  return dataset["absent_share"].max("restart", skipna=False) <= CONVERGED
