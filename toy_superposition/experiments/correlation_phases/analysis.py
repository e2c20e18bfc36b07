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


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with `within`, the mean |cosine| within pairs, `chance`, and `code_loss`,
  the exact losses of CODES."""
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
  return dataset.assign(
    within=(DIMS, within(W), {"long_name": "mean |cosine| within pairs"}),
    chance=((), theory.chance(m), {"long_name": "mean |cosine| of random directions"}),
    code_loss=((*DIMS[:2], "code"), losses, {"long_name": "expected loss of known codes"}),
    total_variance=("density", total, {"long_name": "Σ Var x_i"}),
  ).assign_coords(code=list(CODES))
