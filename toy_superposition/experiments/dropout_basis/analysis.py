"""Bases of trained models, and their loss under dropout, exact over masks."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from toy_superposition import streams
from toy_superposition.experiments import trained
from toy_superposition.experiments.dropout_basis import theory
from toy_superposition.geometry.definitions import is_represented
from toy_superposition.types import Instance, Params, Spec

if TYPE_CHECKING:
  import xarray as xr

N_SAMPLES = 4096  # examples, the same for all models


def working_bytes(spec: Spec) -> int:
  """Returns the bytes of one model with its examples under one mask."""
  return max(trained.working_bytes(spec), 16 * N_SAMPLES * (spec.n_features + spec.n_hidden))


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset of one number of features with `fourth_moment` Σ_k ŵ_k⁴ of unit columns,
  `per_dimension` ‖W‖²_F / m, `n_represented`, and `dropout_loss`, exact over masks."""
  del memory_budget
  models = trained.trained(dataset)
  spec = models.problem.spec
  key = streams.words(streams.root(spec.seed), streams.Stream.EVALUATE, 0)
  kept, _ = theory.masks(spec.n_hidden, 0.0)

  def of_one(params: Params, instance: Instance) -> Any:
    x = models.problem.sample(key, instance, N_SAMPLES, generator="threefry")
    q = instance.numbers.get("model.dropout", 0.0)
    h = params.W @ x

    def of_mask(mask: Any) -> Any:
      output = jax.nn.relu(params.W.T @ (h * mask[:, None] / (1 - q)) + params.b[:, None])
      number = jnp.sum(mask, axis=0)
      weight = (1 - q) ** number * jnp.where(number == len(mask), 1.0, q ** (len(mask) - number))
      return weight * jnp.mean(jnp.sum((x - output) ** 2, axis=0), axis=0)

    return jnp.sum(jax.lax.map(of_mask, jnp.asarray(kept, jnp.float32)), axis=0)

  losses = trained.each(of_one, models, mesh, working_bytes(spec))
  W = dataset["W"].transpose(*models.dims, "hidden", "feature").values
  dims = models.dims
  about = {"long_name": "loss under dropout, exact over masks"}
  return dataset.assign(
    fourth_moment=(dims, theory.fourth_moment(W), {"long_name": "Σ_k ŵ_k⁴ of unit columns"}),
    per_dimension=(dims, (W**2).sum(axis=(-2, -1)) / spec.n_hidden, {"long_name": "‖W‖²_F / m"}),
    n_represented=(dims, is_represented(W).sum(axis=-1), {"long_name": "represented features"}),
    dropout_loss=(dims, np.asarray(losses, float).reshape(models.shape), about),
  )
