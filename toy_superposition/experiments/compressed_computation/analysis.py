"""Losses of every feature in L2 and in L4, answers to single features, and where neurons look."""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh

from toy_superposition import draws, streams
from toy_superposition.experiments import trained
from toy_superposition.experiments.compressed_computation import theory
from toy_superposition.records import schema

if TYPE_CHECKING:
  import xarray as xr

POWERS = (2.0, 4.0)  # in which every model is judged, whatever it was trained on
BATCH = 1024
JUDGED = 1  # number of the stream of samples
POINTS = np.linspace(-1, 1, 41)  # of the answers to single features


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the losses of all outputs by exponent over the density, with answers
  to single features, and the share of ‖W₁‖² in the mixing matrix's largest eigenvectors."""
  del memory_budget
  models = trained.trained(dataset)
  problem = models.problem
  n_batches = max(1, int(schema.config(dataset)["evaluation.n_samples"]) // BATCH)
  key = streams.words(streams.root(problem.spec.seed), streams.Stream.EVALUATE, JUDGED)

  def losses(params, instance):
    model = problem.model_of(instance)

    def add(number, total):
      x = problem.sample(draws.fold_in(key, number), instance, BATCH)
      target = jax.vmap(problem.target, (None, 1, 1), 1)(instance, x, x)
      error = jnp.abs(target - jax.vmap(model.apply, (None, 1), 1)(params, x))
      return total + jnp.stack([jnp.mean(error**q, axis=1) for q in POWERS])

    zero = jnp.zeros((len(POWERS), problem.n_outputs), jnp.float32)
    return lax.fori_loop(0, n_batches, add, zero) / n_batches

  found = np.asarray(trained.each(losses, models, mesh))
  density = dataset["feature_density"].values.max()
  W1, W2 = np.asarray(models.params.W1), np.asarray(models.params.W2)
  M = problem.spec.row("data.target").matrix(W1.shape[-1])
  shares = np.array([theory.eigen_share(one, M) for one in W1])
  answers = np.stack([_answers(one, two) for one, two in zip(W1, W2, strict=True)])
  dims, shape = models.dims, models.shape

  def unflat(values: np.ndarray) -> np.ndarray:
    return values.reshape(*shape, *values.shape[1:])

  n, d = dataset.sizes["feature"], dataset.sizes["hidden"]
  naive = [theory.naive_loss(n, d, q) for q in POWERS]
  return dataset.assign_coords(power=list(POWERS), x=POINTS).assign(
    judged=((*dims, "power", "output"), unflat(found / density), {"long_name": "loss / density"}),
    naive=("power", naive, {"long_name": "loss / density of d features computed, the rest 0"}),
    eigen_share=(dims, unflat(shares), {"long_name": "share of ‖W₁‖² in M's top d eigenvectors"}),
    answer=(
      (*dims, "x", "output"),
      unflat(answers),
      {"long_name": "own output of single features"},
    ),
  )


def _answers(W1: np.ndarray, W2: np.ndarray) -> np.ndarray:
  """Returns each feature's own output where it alone is active, (point, feature)."""
  return np.diagonal(theory.responses(W1, W2, POINTS.astype(W1.dtype)), axis1=1, axis2=2)
