"""The products W₂ W₁ of trained models: directions that do not depend on the hidden basis."""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int

from toy_superposition.experiments.loss_exponent import theory

if TYPE_CHECKING:
  import xarray as xr

DIMS = ("active", "loss_name", "restart")
CROSS_ENTROPY = "cross-entropy"
MOST_FEATURES = 8  # to which the figure's embeddings are filled up with NaN
SAME_LINE = 0.999  # |cos| from which on two features lie on one line: 2.6 degrees
Products = Float[np.ndarray, "*model output feature"]


def embeddings(M: Products) -> Float[np.ndarray, "*model 2 feature"]:
  """Returns √S Vᵀ of M = U S Vᵀ, the first two rows.

  They span the encoder's row space. Two features are on one line here if, and only if, they are on
  one in every basis of the hidden space; other angles belong to this basis alone. If M is symmetric
  and positive, M is the Gram matrix of these vectors.
  """
  _, size, V = np.linalg.svd(M)
  return np.sqrt(size[..., :2, None]) * V[..., :2, :]


def n_lines(embedding: Float[np.ndarray, "*model 2 feature"]) -> Int[np.ndarray, "*model"]:
  """Returns the number of different lines on which features lie."""
  norm = np.linalg.norm(embedding, axis=-2, keepdims=True)
  unit = embedding / np.where(norm > 0, norm, 1)
  same = np.abs(np.swapaxes(unit, -1, -2) @ unit) >= SAME_LINE
  earlier = np.tril(same, -1).any(axis=-1)  # on the line of a feature before
  return (~earlier).sum(axis=-1)


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset of one number of features with directions, and the theory's losses."""
  del mesh, memory_budget
  T, D = dataset.sizes["feature"], dataset.sizes["hidden"]
  W1 = dataset["W1"].transpose(*DIMS, "hidden", "feature").values.astype(float)
  W2 = dataset["W2"].transpose(*DIMS, "feature", "hidden").values.astype(float)
  M = W2 @ W1
  at = embeddings(M)
  rows = np.linalg.svd(W1)[2][..., :D, :]  # orthonormal
  ones = (rows.sum(axis=-1) ** 2).sum(axis=-1) / T
  right = (M.argmax(axis=-2) == np.arange(T)).mean(axis=-1)
  chosen = dataset["loss"].transpose(*DIMS).fillna(np.inf).argmin("restart").values[..., None]
  best = np.take_along_axis(at, chosen[..., None, None], axis=2)[:, :, 0]
  padded = np.full((*best.shape[:-1], MOST_FEATURES), np.nan)
  padded[..., :T] = best
  active, exponents = dataset["active"].values, dataset["loss_name_loss_q"].values
  bounds = [[theory.lower_bound(T, D, int(z), float(q)) for q in exponents] for z in active]
  of_power = (dataset["loss_name"] != CROSS_ENTROPY).values
  even = [theory.frame_loss(theory.even_lines(T), float(q)) for q in exponents]
  return dataset.assign_coords(corner=np.arange(MOST_FEATURES)).assign(
    n_lines=(DIMS, n_lines(at), {"long_name": "lines on which features lie"}),
    leverage_std=(DIMS, (rows**2).sum(axis=-2).std(axis=-1), {"long_name": "spread of P_ii"}),
    ones_share=(DIMS, ones, {"long_name": "share of the vector of ones in the row space"}),
    told_apart=(DIMS, right, {"long_name": "share of single features whose own output is largest"}),
    embedding=((*DIMS[:2], "axis", "corner"), padded, {"long_name": "best restart's √S Vᵀ"}),
    bound=(DIMS[:2], np.where(of_power, bounds, np.nan), {"long_name": "lower bound"}),
    even_loss=("loss_name", np.where(of_power, even, np.nan), {"long_name": "evenly spaced lines"}),
    kl=(DIMS, _kl(dataset, T), {"long_name": "nats per active feature above those of the data"}),
  )


def _kl(dataset: "xr.Dataset", n_features: int) -> np.ndarray:
  """Returns the cross-entropy above its least value, per active feature; NaN for other losses."""
  z = dataset["active"].astype(float)
  nats = dataset["loss"] * n_features / z - np.log(z)
  return nats.where(dataset["loss_name"] == CROSS_ENTROPY).transpose(*DIMS).values
