"""Scores of every autoencoder, with the direction of its children's latents."""

import json
from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh

from toy_superposition import declare
from toy_superposition.experiments import dictionaries
from toy_superposition.recovery import metrics

if TYPE_CHECKING:
  import xarray as xr


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with scores, absorption among them, and `child_cosine`, the mean cosine of
  every child with the latent nearest to it."""
  del memory_budget
  values = json.loads(dataset.attrs["config"])
  tree = declare.build("data.distribution", "tree", values)
  parent = tree.nodes(dataset.sizes["feature"]).parent
  children = np.flatnonzero(parent >= 0)
  dataset = dictionaries.scored(dataset, mesh, (parent[children], children))
  dims = ("variant", "seed")
  decoders = dataset["W_dec"].transpose(*dims, "input", "latent").values
  truth = dataset["dictionary"].transpose(*dims, "input", "feature").values
  cosine = np.zeros(decoders.shape[:2])
  for at in np.ndindex(cosine.shape):
    cosine[at] = metrics.cosines(decoders[at], truth[at])[:, children].max(axis=0).mean()
  return dataset.assign(child_cosine=(dims, cosine, {"long_name": "children with their latents"}))
