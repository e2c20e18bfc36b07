"""Bases of trained models, their exact losses, and the least loss that direct descents find."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments.dropout_basis import descent, theory
from toy_superposition.geometry.definitions import is_represented
from toy_superposition.records import schema

if TYPE_CHECKING:
  import xarray as xr

DIMS = ("noise", "dropout", "restart")
LOSSES = {0.0: descent.dropout_loss, 1.0: descent.noise_loss}  # by model.isotropic_noise
ABOUT = {
  "fourth_moment": "Σ_k ŵ_k⁴ of unit columns",
  "per_dimension": "‖W‖²_F / m",
  "n_represented": "represented features",
}


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset of one number of features with `fourth_moment` Σ_k ŵ_k⁴ of unit columns,
  `per_dimension` ‖W‖²_F / m and `n_represented` of every model, its `noisy_loss` under the noise
  that it was trained with, without sampling, and of every cell the same of the lowest loss that
  direct descents found: `minimum_fourth_moment`, …, `minimum_loss`; `descent_moments` are those of
  all descents from random starts, before the best of them go on.

  Descents start at random and at the best trained model, so that none of these is below.
  """
  del mesh, memory_budget
  values = schema.config(dataset)
  W = dataset["W"].transpose(*DIMS, "hidden", "feature").values.astype(float)
  b = dataset["b"].transpose(*DIMS, "feature").values.astype(float)
  m, n = W.shape[-2:]
  which = descent.examples(n, values["density.base"])
  shares = dataset["noise_model_isotropic_noise"].values
  losses = np.empty(W.shape[:3])
  minima: list[list[descent.Minimum]] = []
  for k, share in enumerate(shares.tolist()):
    minima.append([])
    for j, q in enumerate(dataset["dropout"].values.tolist()):
      loss = LOSSES[share](which, m, q)
      losses[k, j] = [loss(*model)[0] for model in zip(W[k, j], b[k, j], strict=True)]
      best = int(np.nanargmin(losses[k, j])) if np.isfinite(losses[k, j]).any() else 0
      own = [(W[k, j, best], b[k, j, best])] if np.isfinite(losses[k, j, best]) else []
      minima[-1].append(descent.minimum(loss, m, n, own))
  least = np.stack([np.stack([cell.W for cell in row]) for row in minima])
  moments = np.stack([np.stack([cell.moments for cell in row]) for row in minima])
  about = {"long_name": "loss under the noise of training, exact"}
  return dataset.assign(
    {
      **{name: (DIMS, value, {"long_name": ABOUT[name]}) for name, value in _numbers(W).items()},
      **{
        f"minimum_{name}": (
          DIMS[:2],
          value,
          {"long_name": f"{ABOUT[name]}, lowest loss found"},
        )
        for name, value in _numbers(least).items()
      },
      "noisy_loss": (DIMS, losses, about),
      "minimum_loss": (DIMS[:2], np.array([[cell.loss for cell in row] for row in minima]), about),
      "descent_moments": ((*DIMS[:2], "descent"), moments, {"long_name": ABOUT["fourth_moment"]}),
    }
  )


def _numbers(W: np.ndarray) -> dict[str, Any]:
  """Returns numbers of models, from their directions (…, hidden, feature)."""
  return {
    "fourth_moment": theory.fourth_moment(W),
    "per_dimension": (W**2).sum(axis=(-2, -1)) / W.shape[-2],
    "n_represented": is_represented(W).sum(axis=-1),
  }
