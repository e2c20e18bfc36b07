"""The exact objective of trained autoencoders on the circle, beside its bound."""

import json
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments import trained
from toy_superposition.experiments.sae_manifold.theory import bound

if TYPE_CHECKING:
  import xarray as xr


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset of one number of latents with `objective`, the mean over angles of
  ‖s − ŝ‖² + λ Σ h, `bound`, the best of even directions, `penalty` λ, and `n_live`, the latents
  that are on for some angle."""
  del memory_budget
  models = trained.trained(dataset)
  penalty = float(json.loads(dataset.attrs["config"])["model.sparsity"])
  row = models.problem.spec.row("data.distribution")

  def of_one(params, instance):
    points, weights = row.patterns(instance)
    model, s = models.problem.model_of(instance), jnp.asarray(points)
    h = jax.vmap(model.encode, (None, 1), 1)(params, s)
    error = jnp.sum((s - jax.vmap(model.decode, (None, 1), 1)(params, h)) ** 2, axis=0)
    on = jnp.sum(jnp.any(h > 0, axis=1).astype(jnp.float32))
    return (error + penalty * jnp.sum(h, axis=0)) @ weights, on

  objective, on = trained.each(of_one, models, mesh)
  shape = models.shape
  best = bound(dataset.sizes["latent"], penalty)
  return dataset.assign(
    objective=(models.dims, objective.reshape(shape), {"long_name": "E ‖s − ŝ‖² + λ Σ h"}),
    n_live=(models.dims, on.reshape(shape), {"long_name": "latents that are on for some angle"}),
    bound=(models.dims, np.full(shape, best), {"long_name": "least objective of even directions"}),
    penalty=(models.dims, np.full(shape, penalty), {"long_name": "λ"}),
  )
