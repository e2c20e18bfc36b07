"""Cosines within pairs, and exact losses of known codes beside those of training."""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments.correlation_phases import theory

if TYPE_CHECKING:
  import xarray as xr

DIMS = ("density", "correlation", "restart")
LEAST_NORM = 0.1  # of a feature whose direction is meaningful
CODES = ("linear", "merged", "one of each")


def within(W: np.ndarray) -> np.ndarray:
  """Returns the mean |cosine| of the two features of a pair over the pairs both of whose features
  have a direction; nan of models without such a pair.

  Args:
    W: of shape (…, hidden, feature), the features of a pair beside each other.
  """
  norm = np.linalg.norm(W, axis=-2)
  product = np.abs((W[..., ::2] * W[..., 1::2]).sum(axis=-2))
  lengths = norm[..., ::2] * norm[..., 1::2]
  there = np.minimum(norm[..., ::2], norm[..., 1::2]) > LEAST_NORM
  cosine = np.where(there, product / np.where(there, lengths, 1), 0)
  n = there.sum(axis=-1)
  return np.where(n > 0, cosine.sum(axis=-1) / np.maximum(n, 1), np.nan)


def between_all(W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns mean and standard deviation of |cosine| over all pairs of features, paired or not, both
  of which have a direction; nan of models without two such pairs.

  Args:
    W: of shape (…, hidden, feature).
  """
  norm = np.linalg.norm(W, axis=-2)
  unit = W / np.where(norm > 0, norm, 1)[..., None, :]
  cosine = np.abs(np.swapaxes(unit, -1, -2) @ unit)
  i, j = np.triu_indices(W.shape[-1], 1)
  there = (norm > LEAST_NORM)[..., i] & (norm > LEAST_NORM)[..., j]
  n = there.sum(axis=-1)
  few = n < 2
  mean = np.where(there, cosine[..., i, j], 0).sum(axis=-1) / np.where(few, 1, n)
  square = np.where(there, (cosine[..., i, j] - mean[..., None]) ** 2, 0).sum(axis=-1)
  deviation = np.sqrt(square / np.where(few, 1, n - 1))
  return np.where(few, np.nan, mean), np.where(few, np.nan, deviation)


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with `within`, the mean |cosine| within pairs, `chance`, and `code_loss`,
  the exact losses of CODES; `between` and `between_deviation` are mean and deviation of |cosine|
  over all pairs of features."""
  del mesh, memory_budget
  dataset = dataset.transpose(*DIMS, ...)
  W = dataset["W"].transpose(*DIMS, "hidden", "feature").values.astype(float)
  m, n = W.shape[-2:]
  losses = np.array(
    [
      [
        (
          theory.linear_loss(p, rho, n // 2, m),
          theory.merged_loss(p, rho),
          theory.one_of_each_loss(p),
        )
        for rho in dataset["correlation"].values.tolist()
      ]
      for p in dataset["density"].values.tolist()
    ]
  )
  total = n * np.array([theory.variance(p) for p in dataset["density"].values.tolist()])
  between, deviation = between_all(W)
  return dataset.assign(
    between=(DIMS, between, {"long_name": "mean |cosine| of all pairs of features"}),
    between_deviation=(DIMS, deviation, {"long_name": "deviation of |cosine| over these"}),
    within=(DIMS, within(W), {"long_name": "mean |cosine| within pairs"}),
    chance=((), theory.chance(m), {"long_name": "mean |cosine| of random directions"}),
    code_loss=((*DIMS[:2], "code"), losses, {"long_name": "expected loss of known codes"}),
    total_variance=("density", total, {"long_name": "Σ Var x_i"}),
  ).assign_coords(code=list(CODES))
