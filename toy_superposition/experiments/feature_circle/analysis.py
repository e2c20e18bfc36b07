"""Unexplained shares of trained codes, of the descent from a ring, and of the best linear code."""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments import restarts, trained
from toy_superposition.experiments.feature_circle import theory
from toy_superposition.theory.optimum import minimize

if TYPE_CHECKING:
  import xarray as xr

DIMS = ("amplitude", "resolution")
N_ITERATIONS = 400  # of a descent from the ring
COLUMNS = 32  # of the best restart that are stored for the figure; nan beyond n
SAME_LOSS = 1e-3  # share above the best restart up to which another one has found the same


def examples(models: trained.Trained, number: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns one model's examples and their weights, in double precision."""
  instance = jax.tree.map(lambda leaf: jnp.asarray(leaf[number]), models.instances)
  found = models.problem.spec.row("data.distribution").patterns(instance)
  x, weights = (np.asarray(array, float) for array in found)
  return x, weights / weights.sum()


def from_ring(models: trained.Trained, mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
  """Returns the loss and the columns of the best descent from a ring, for every model's problem."""
  problem = models.problem
  starts = jax.tree.map(jnp.asarray, theory.starts(problem.spec.n_features, problem.spec.n_hidden))
  row = problem.spec.row("data.distribution")

  def descend(params, instance):
    del params
    x, weights = row.patterns(instance)

    def loss(at):
      return problem.loss(at, instance, jnp.asarray(x), weights=weights)

    one = jax.vmap(lambda start: minimize(jax.value_and_grad(loss), start, N_ITERATIONS))
    found, losses = one(starts)
    best = jnp.argmin(losses, axis=0)
    return losses[best], found.W[best]

  loss, W = trained.each(descend, models, mesh)
  return np.asarray(loss), np.asarray(W)


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset of one n and m with shares of the variance that are not explained: `fvu` of
  every model, `ring_fvu` of descents from a ring, `plain_ring_fvu` of the ring itself,
  `linear_fvu` of the best linear code, and `linear_share` of it without a bias, of the mean square.

  Beside them `irregularity` of every code's angles and `ring_irregularity`, `found_share` of the
  restarts that end at the best loss, and `columns` of the best restart in their plane.
  """
  import xarray as xr

  del memory_budget
  dataset = dataset.transpose(*DIMS, "restart", ...)
  m, n = dataset.sizes["hidden"], dataset.sizes["feature"]
  parts = []
  for amplitude in dataset["amplitude"].values:
    models = trained.trained(dataset.sel(amplitude=amplitude).isel(restart=0))
    loss, W = from_ring(models, mesh)
    rows = []
    for number in range(len(loss)):
      x, w = examples(models, number)
      total = theory.total_variance(x, w)
      plain = theory.reconstruction_loss(theory.ring(n, m), x, w)
      shares = (theory.linear_share(x, w, m, bias=bias) for bias in (True, False))
      rows.append((total, loss[number] / total, plain / total, *shares))
    parts.append((np.array(rows).T, theory.irregularity(W.astype(float))))
  values = np.stack([part for part, _ in parts], axis=1)  # (number, amplitude, resolution)
  best = restarts.best(dataset, "restart")["W"].transpose(*DIMS, "hidden", "feature").values
  columns = np.full((*best.shape[:2], 2, COLUMNS), np.nan)  # as long for every n
  for at in np.ndindex(best.shape[:2]):
    columns[at][:, :n] = theory.flattened(best[at].astype(float))[:, :COLUMNS]
  every = dataset["W"].transpose(*DIMS, "restart", "hidden", "feature").values.astype(float)
  fvu = dataset["loss"] / xr.DataArray(values[0], dims=DIMS)
  least = fvu.min("restart")
  return dataset.assign(
    fvu=fvu.assign_attrs(long_name="unexplained share of the variance"),
    ring_fvu=(DIMS, values[1], {"long_name": "that of the best descent from a ring"}),
    plain_ring_fvu=(DIMS, values[2], {"long_name": "that of the ring of norm² 4/n without bias"}),
    linear_fvu=(DIMS, values[3], {"long_name": "that of the best linear code"}),
    linear_share=(DIMS, values[4], {"long_name": "of the mean square, without a bias"}),
    irregularity=(
      (*DIMS, "restart"),
      theory.irregularity(every),
      {"long_name": "coefficient of variation of angles between neighbours"},
    ),
    ring_irregularity=(DIMS, np.stack([part for _, part in parts])),
    found_share=(fvu <= least * (1 + SAME_LOSS) + 1e-6).mean("restart"),
    columns=((*DIMS, "axis", "angle"), columns, {"long_name": "W of the best restart"}),
  )
