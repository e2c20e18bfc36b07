"""The latent's angle between parent and child, and the one that theory predicts.

As λ → 0 the best single direction is the top eigenvector of the covariance of what the autoencoder
sees, or of its second moment without a decoder bias.
"""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh

if TYPE_CHECKING:
  import xarray as xr


def predicted_angle(parent: float, child: float, *, nested: bool, bias: bool) -> float:
  """Returns the angle in radians of the eigenvector from the parent's direction.

  Args:
    parent: probability of the parent, a binary feature.
    child: probability of the child.
    nested: whether the child is active only with its parent; otherwise they are independent.
    bias: whether there is a decoder bias.
  """
  both = child if nested else parent * child
  moment = np.array([[parent, both], [both, child]])
  mean = np.array([parent, child])
  matrix = moment - np.outer(mean, mean) if bias else moment
  vector = np.linalg.eigh(matrix)[1][:, -1]
  return float(np.arctan2(abs(vector[1]), abs(vector[0])))


def fires(dataset: "xr.Dataset", dims: tuple[str, ...]) -> np.ndarray:
  """Returns whether each model's latent is on for any example that occurs.

  A latent that is silent from the beginning has no gradient, and stays as it was drawn.
  """
  truth = dataset["dictionary"].transpose(*dims, "input", "feature").values
  encoder = dataset["W_enc"].isel(latent=0).transpose(*dims, "input").values
  own_bias = dataset["b_enc"].isel(latent=0).transpose(*dims).values
  learned = dataset["bias"].values.astype(bool)[None, :, None, None, None]
  shift = dataset["b_dec"].transpose(*dims, "input").values * learned
  drive = np.einsum("...i,...if->...f", encoder, truth)
  rest = own_bias - np.einsum("...i,...i->...", encoder, shift)
  parent, child = drive[..., 0], drive[..., 1]
  on = (parent + rest > 0) | (parent + child + rest > 0)
  # Whether the child is ever on without its parent.
  alone = (dataset["activity"].values != "tree")[:, None, None, None]
  return on | (child + rest > 0) & alone


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with `angle` and `predicted_angle` in radians from the parent, and `fires`,
  whether the latent is ever on."""
  del mesh, memory_budget
  dims = ("activity", "bias", "child", "seed")
  product = (dataset["dictionary"] * dataset["W_dec"].isel(latent=0)).sum("input")
  cosine = np.abs(product.transpose(*dims, "feature").values)
  angle = np.arctan2(cosine[..., 1], cosine[..., 0])
  predicted = np.zeros([dataset.sizes[dim] for dim in dims])
  density = dataset["feature_density"].transpose(*dims, "feature").values
  for i, activity in enumerate(dataset["activity"].values):
    for j, bias in enumerate(dataset["bias"].values):
      for k in range(dataset.sizes["child"]):
        parent, child = density[i, j, k, 0].tolist()
        predicted[i, j, k] = predicted_angle(
          parent, child, nested=activity == "tree", bias=bool(bias)
        )
  return dataset.assign(
    angle=(dims, angle, {"long_name": "angle of the latent from the parent"}),
    fires=(dims, fires(dataset, dims), {"long_name": "whether the latent is ever on"}),
    predicted_angle=(dims, predicted, {"long_name": "angle of the top eigenvector"}),
  )
