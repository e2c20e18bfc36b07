"""Losses and hidden vectors of the examples that models were trained on."""

import dataclasses
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Float

from toy_superposition.experiments import dictionaries, trained
from toy_superposition.experiments.memorization import theory
from toy_superposition.types import Instance, Params, Spec

if TYPE_CHECKING:
  import xarray as xr

SHOWN = 300  # examples of every model whose hidden vectors are stored
ARRAYS = 6  # of (feature, example) that are held at once
EXAMPLES, DECAY = "case_data_n_examples", "case_train_weight_decay"
CHUNK = 512  # examples that are computed at once


def working_bytes(spec: Spec) -> int:
  """Returns the bytes of one model with a chunk of its examples."""
  return max(trained.working_bytes(spec), 4 * ARRAYS * CHUNK * spec.n_features)


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with, of the examples that each model was trained on: `train_loss`;
  `example_hidden` and `example_dimensionality` of the first SHOWN; and
  `example_dimensionality_sum` of all."""
  del memory_budget
  n_cases, n_restarts = dataset.sizes["case"], dataset.sizes["restart"]
  # Of the sweep's models, in the order of its axes: it names the stream of a model's examples.
  index = np.arange(dataset["loss"].size).reshape(dataset["loss"].shape)
  dataset = dataset.assign(index=(dataset["loss"].dims, index)).transpose("case", "restart", ...)
  losses, total = np.zeros((2, n_cases, n_restarts))
  hidden = np.full((n_cases, n_restarts, SHOWN, 2), np.nan)
  own = np.full((n_cases, n_restarts, SHOWN), np.nan)
  # By number of examples too: the models of one program compute as many.
  for where, part in dictionaries.methods(dataset):
    cases = np.arange(n_cases)[where[0]]
    for n in np.unique(part[EXAMPLES]).tolist():
      chosen = cases[part[EXAMPLES].values == n]
      loss, h = of_examples(dataset.isel(case=chosen), n, mesh)
      losses[chosen] = loss
      for case, of_case in zip(chosen, h, strict=True):
        for restart, points in enumerate(of_case):
          values = theory.dimensionalities(points)
          total[case, restart] = values.sum()
          own[case, restart, :n] = values[:SHOWN]
          hidden[case, restart, :n] = points.T[:SHOWN]
  dims = ("case", "restart")
  return dataset.drop_vars("index").assign(
    train_loss=(dims, losses, {"long_name": "loss on the examples of training"}),
    example_hidden=((*dims, "example", "hidden"), hidden, {"long_name": "h of an example"}),
    example_dimensionality=((*dims, "example"), own, {"long_name": "D of an example"}),
    example_dimensionality_sum=(dims, total, {"long_name": "sum of D over all examples"}),
  )


def of_examples(
  dataset: "xr.Dataset", n: int, mesh: Mesh
) -> tuple[Float[np.ndarray, "case restart"], Float[np.ndarray, "case restart hidden example"]]:
  """Returns mean losses and hidden vectors of the n examples of each model's training."""
  models = trained.trained(dataset)
  index = dataset["index"].values.ravel().astype(np.int32)
  models = models._replace(instances=dataclasses.replace(models.instances, index=index))
  problem = models.problem
  chunk = min(n, CHUNK)
  n_chunks = -(-n // chunk)

  def of_one(params: Params, instance: Instance) -> tuple[Any, Any]:
    def of_chunk(number: Any) -> tuple[Any, Any]:
      chosen = number * chunk + jnp.arange(chunk, dtype=jnp.uint32)
      x = problem.fixed_examples(instance, chosen)
      h = params.W @ x
      error = x - jnp.maximum(params.W.T @ h + params.b[:, None], 0)
      return jnp.sum(error**2, axis=0), h

    each, h = lax.map(of_chunk, jnp.arange(n_chunks, dtype=jnp.uint32))
    h = jnp.moveaxis(h, 0, 1).reshape(h.shape[1], -1)[:, :n]
    return jnp.mean(each.reshape(-1)[:n], axis=0), h

  loss, h = trained.each(of_one, models, mesh, working_bytes(problem.spec))
  return np.asarray(loss, float).reshape(models.shape), np.asarray(h, float).reshape(
    *models.shape, *h.shape[1:]
  )
