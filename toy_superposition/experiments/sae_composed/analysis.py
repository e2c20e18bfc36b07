"""Which pairs and features have a latent, and what the code costs, exactly."""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from toy_superposition.experiments import trained
from toy_superposition.experiments.sae_composed import theory
from toy_superposition.recovery import metrics

if TYPE_CHECKING:
  import xarray as xr

VARIABLES = {
  "features_found": f"features to which a latent has a cosine of at least {metrics.SAME:g}",
  "pairs_found": f"pairs to which a latent has a cosine of at least {metrics.SAME:g}",
  "objective": "exact mean of ‖s − ŝ‖² + λ Σ h",
  "objective_bound": "least objective of any L1 autoencoder",
  "objective_features": "objective of a latent for every feature and none for pairs",
}


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with VARIABLES of every model."""
  del memory_budget
  models = trained.trained(dataset)
  problem = models.problem

  def cost(params, instance):
    x, weights = problem.spec.row("data.distribution").patterns(instance)
    model = problem.model_of(instance)
    s = instance.given["dictionary"] @ x
    h = jax.vmap(model.encode, (None, 1), 1)(params, s)
    output = jax.vmap(model.decode, (None, 1), 1)(params, h)
    each = jnp.sum((s - output) ** 2, axis=0)
    return weights @ (each + instance.numbers["model.sparsity"] * jnp.sum(h, axis=0))

  given = models.instances.given
  assert given is not None
  truth, decoders = np.asarray(given["dictionary"]), np.asarray(models.params.W_dec)
  size = truth.shape[2] // 2
  found = [
    (with_latent(decoder, A), with_latent(decoder, pairs(A)))
    for decoder, A in zip(decoders, truth, strict=True)
  ]
  active = size * np.asarray(models.instances.density)[:, 0].astype(float)
  penalty = np.asarray(models.instances.numbers["model.sparsity"]).astype(float)
  columns = (
    *np.array(found, float).T,
    np.asarray(trained.each(cost, models, mesh)),
    theory.bound(active, penalty),
    theory.of_features(active, penalty),
  )
  variables = {
    name: (models.dims, np.reshape(values, models.shape), {"long_name": about})
    for (name, about), values in zip(VARIABLES.items(), columns, strict=True)
  }
  return dataset.assign(variables)


def pairs(dictionary: Float[np.ndarray, "input feature"]) -> Float[np.ndarray, "input pair"]:
  """Returns the sums of one column of the first half with one of the second."""
  first, second = np.split(dictionary, 2, axis=1)
  return (first[:, :, None] + second[:, None, :]).reshape(len(dictionary), -1)


def with_latent(
  decoder: Float[np.ndarray, "input latent"], directions: Float[np.ndarray, "input direction"]
) -> int:
  """Returns how many directions are the same as that of a latent."""
  return int((metrics.cosines(decoder, directions).max(axis=0) >= metrics.SAME).sum())
