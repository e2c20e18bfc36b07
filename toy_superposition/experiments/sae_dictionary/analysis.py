"""Codes of fresh examples: by the encoder, and by sparse coding with both dictionaries."""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float

from toy_superposition import draws, streams
from toy_superposition.evaluation import GENERATOR
from toy_superposition.experiments import dictionaries, trained
from toy_superposition.recovery import metrics
from toy_superposition.theory import sparse_coding

if TYPE_CHECKING:
  import xarray as xr

N_EXAMPLES = 4096
PENALTY, STEPS = 0.02, 300  # of FISTA: the values of codes are shrunk by half of the first
CODES = {
  "codes_encoder": "MCC of the encoder's codes with the features",
  "codes_fista": "MCC of sparse codes of the learned dictionary with the features",
  "codes_true": "MCC of sparse codes of the true dictionary with the features",
}


def correlations(
  codes: Float[Array, "latent example"], x: Float[Array, "feature example"]
) -> Float[Array, "latent feature"]:
  """Returns Pearson's correlation of every code with every feature; 0 of one that does not vary."""

  def unit(rows: Array) -> Array:
    rows = rows - jnp.mean(rows, axis=1, keepdims=True)
    norm = jnp.linalg.norm(rows, axis=1, keepdims=True)
    return rows / jnp.where(norm > 0, norm, 1)

  return unit(codes) @ unit(x).T


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with scores of the dictionaries and with CODES: the mean |correlation| of
  the best one-to-one assignment of codes to features, on fresh examples."""
  del memory_budget
  dataset = dictionaries.scored(dataset, mesh)
  models = trained.trained(dataset)
  problem = models.problem

  def of_one(params, instance):
    stream = streams.words(streams.root(problem.spec.seed), streams.Stream.EVALUATE, 0)
    key = draws.fold_in(stream, 0)
    x = problem.sample(key, instance, N_EXAMPLES, generator=GENERATOR)
    s = instance.given["dictionary"] @ x
    own = jax.vmap(problem.model_of(instance).encode, (None, 1), 1)(params, s)
    centred = s - params.b_dec[:, None]
    learned = sparse_coding.fista(params.W_dec, centred, PENALTY, STEPS)
    true = sparse_coding.fista(instance.given["dictionary"], s, PENALTY, STEPS)
    return tuple(correlations(codes, x) for codes in (own, learned, true))

  found = trained.each(of_one, models, mesh)
  variables = {}
  for (name, about), each in zip(CODES.items(), found, strict=True):
    scores = [metrics.mcc(c) if np.isfinite(c).all() else np.nan for c in np.asarray(each)]
    variables[name] = (models.dims, np.reshape(scores, models.shape), {"long_name": about})
  return dataset.assign(variables)
