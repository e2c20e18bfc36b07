"""Capacities and exact losses of trained models of squares, and those of the optimum.

The loss is a polynomial of the weights and of the features' moments (theory/water_filling.py), so
no sample decides how good a model is.
"""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float
from scipy.optimize import minimize

from toy_superposition.geometry.capacity import capacities
from toy_superposition.theory import water_filling

if TYPE_CHECKING:
  import xarray as xr

N_STARTS = 6  # of the descents on the exact loss, for each cell
# E x² and E x⁴ of an active value, uniform on [−1, 1], per density.
SQUARE, FOURTH = 1 / 3, 1 / 5


def kurtosis(density: float) -> float:
  """Returns κ = E x⁴ / (E x²)² of a feature: 9 / (5 p)."""
  return FOURTH / (SQUARE**2 * density)


def exact_loss(
  W: Float[np.ndarray, "*model hidden feature"],
  c: Float[np.ndarray, "*model"],
  v: Float[np.ndarray, "feature"],
  density: float,
) -> Float[np.ndarray, "*model"]:
  """Returns E (y − y′)² of models with their own bias c."""
  square = SQUARE * density
  own = np.einsum("...hf,...hf->...f", W, W)
  shift = c - square * (v - own).sum(axis=-1)
  best = water_filling.loss(W, np.broadcast_to(v, own.shape), kurtosis(density))
  return np.asarray(square**2 * best + shift**2)


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with `capacity` of every feature, `exact_loss`, and of the optimum
  `optimum_capacity`, `optimum_loss`, `optimum_eigenvalue` (M_ii / C_i of features that share a
  dimension, nan if none does) and `descended_loss`, the lowest that descents on the exact loss
  find."""
  del mesh, memory_budget
  dims = ("density", "ratio", "restart") if "restart" in dataset.dims else ("density", "ratio")
  cells = dims[:2]
  W = dataset["W"].transpose(*dims, "hidden", "feature").values.astype(float)
  c = dataset["c"].isel(output=0).transpose(*dims).values.astype(float)
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  shape = tuple(dataset.sizes[name] for name in cells)
  theory, losses = np.zeros((*shape, n)), np.zeros(W.shape[:-2])
  optimum, descended, eigenvalue = (np.full(shape, np.nan) for _ in range(3))
  for i, density in enumerate(dataset["density"].values.tolist()):
    for j, ratio in enumerate(dataset["ratio"].values.tolist()):
      v, k, unit = ratio ** np.arange(n), kurtosis(density), (SQUARE * density) ** 2
      theory[i, j] = water_filling.capacities(v, k, m)
      optimum[i, j] = unit * water_filling.optimum(v, k, m)
      descended[i, j] = unit * descend(v, k, m)
      eigenvalue[i, j] = shared_eigenvalue(v, k, theory[i, j])
      losses[i, j] = exact_loss(W[i, j], c[i, j], v, density)
  return dataset.assign(
    capacity=((*dims, "feature"), capacities(W), {"long_name": "C_i = M_ii² / Σ_j M_ij²"}),
    exact_loss=(dims, losses, {"long_name": "E (y − y′)², without sampling"}),
    optimum_capacity=((*cells, "feature"), theory, {"long_name": "C_i of the optimum"}),
    optimum_loss=(cells, optimum, {"long_name": "loss of the optimum, closed form"}),
    descended_loss=(cells, descended, {"long_name": "lowest loss that descents find"}),
    optimum_eigenvalue=(cells, eigenvalue, {"long_name": "M_ii / C_i of features that share"}),
  )


def shared_eigenvalue(
  v: Float[np.ndarray, "feature"], kurtosis: float, capacity: Float[np.ndarray, "feature"]
) -> float:
  """Returns M_ii / C_i = (κ − 1) v_i / (2 + (κ − 3) C_i), the same of all features that share."""
  shared = (capacity > 0) & (capacity < 1)
  if not shared.any():
    return float("nan")
  each = (kurtosis - 1) * v / (2 + (kurtosis - 3) * capacity)
  return float(each[shared].mean())


def descend(v: Float[np.ndarray, "feature"], kurtosis: float, n_hidden: int) -> float:
  """Returns the lowest loss, in units of σ⁴, of descents from N_STARTS starts."""
  rng = np.random.default_rng(0)
  starts = rng.normal(0, 0.5, (N_STARTS, n_hidden * len(v)))
  options = {"gtol": 1e-9, "maxiter": 2000}
  found = [
    minimize(_loss_and_gradient, s, (v, kurtosis), jac=True, method="BFGS", options=options)
    for s in starts
  ]
  return min(float(one.fun) for one in found)


def _loss_and_gradient(
  flat: np.ndarray, v: np.ndarray, kurtosis: float
) -> tuple[float, np.ndarray]:
  """Returns the loss of weights, in units of σ⁴, and its gradient."""
  W = flat.reshape(-1, len(v))
  M = W.T @ W
  # Half the derivative by M, whose diagonal has another weight.
  by_M = 2 * M
  np.fill_diagonal(by_M, (kurtosis - 1) * (np.diagonal(M) - v))
  value = (kurtosis - 1) * ((v - np.diagonal(M)) ** 2).sum()
  value += 2 * ((M**2).sum() - (np.diagonal(M) ** 2).sum())
  return float(value), (4 * W @ by_M).ravel()
