"""Scores of every autoencoder, and of sparse coding with the true dictionary."""

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float

from toy_superposition import draws, streams
from toy_superposition.evaluation import GENERATOR
from toy_superposition.experiments import dictionaries, trained
from toy_superposition.theory import sparse_coding
from toy_superposition.types import Spec

if TYPE_CHECKING:
  import xarray as xr

N_EXAMPLES = 2048
PENALTIES = (0.1, 0.4, 0.8, 1.6, 3.2)  # of sparse coding
ORACLE = {
  "oracle_l0": "codes that are on in an example, of sparse coding with the true dictionary",
  "oracle_f1": "mean F1 of codes as detectors, over as many frequent features as there are latents",
  "oracle_fvu": "fraction of variance that sparse coding with the true dictionary leaves",
}


def working_bytes(spec: Spec) -> int:
  """Returns the bytes that sparse coding beside one model is planned to take."""
  return dictionaries.coding_bytes(spec, N_EXAMPLES)


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with SCORES of every model, and with ORACLE of every dictionary by penalty
  λ: nonnegative codes that minimise ‖s − A z‖² + λ Σ z."""
  del memory_budget
  dataset = dictionaries.scored(dataset, mesh)
  # The dictionaries are those of the seeds, whatever the method: one method has them all.
  _, part = next(dictionaries.methods(dataset))
  models = trained.trained(part.isel(variant=[0]))
  problem = models.problem
  key = draws.fold_in(streams.words(streams.root(problem.spec.seed), streams.Stream.EVALUATE, 0), 0)

  def of_one(params, instance):
    del params
    x = problem.sample(key, instance, N_EXAMPLES, generator=GENERATOR)
    A = instance.given["dictionary"]
    s = A @ x
    codes = [sparse_coding.fista(A, s, penalty) for penalty in PENALTIES]
    each = [oracle(A, s, x, z, problem.spec.n_hidden) for z in codes]
    return jnp.stack([jnp.stack(one) for one in each])

  # (seed, penalty, number)
  found = np.asarray(trained.each(of_one, models, mesh, working_bytes(problem.spec)))
  variables = {
    name: (("seed", "oracle_penalty"), found[:, :, i], {"long_name": about})
    for i, (name, about) in enumerate(ORACLE.items())
  }
  return dataset.assign(variables).assign_coords(oracle_penalty=list(PENALTIES))


def oracle(
  A: Float[Array, "input feature"],
  s: Float[Array, "input example"],
  x: Float[Array, "feature example"],
  z: Float[Array, "feature example"],
  n_latents: int,
) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
  """Returns L0, mean F1 and fraction of variance unexplained of codes of the true dictionary.

  The F1 is that of the most frequent features, as many as an autoencoder has latents: the others
  could not have a latent beside them.
  """
  on, active = (z > 0).astype(jnp.float32), (x != 0).astype(jnp.float32)
  hits, total = jnp.sum(on * active, axis=1), jnp.sum(on, axis=1) + jnp.sum(active, axis=1)
  frequent = jnp.argsort(-jnp.sum(active, axis=1))[:n_latents]
  f1 = jnp.mean((2 * hits / jnp.maximum(total, 1))[frequent])
  variance = jnp.sum((s - jnp.mean(s, axis=1, keepdims=True)) ** 2)
  left = jnp.sum((s - A @ z) ** 2) / variance
  return jnp.mean(jnp.sum(on, axis=0)), f1, left
