"""Several trainings of the same problem: the best of them, and how many have a property."""

from typing import TYPE_CHECKING

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition import evaluation, streams
from toy_superposition.experiments import trained
from toy_superposition.records import schema
from toy_superposition.types import Instance, Params

if TYPE_CHECKING:
  import xarray as xr


def ranked_loss(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns the losses by which restarts are ranked, infinite for a model that is not finite.

  If the dataset has a shortlist (`shortlisted`), they are its losses, infinite for all others.
  """
  loss = dataset["shortlist_loss"] if "shortlist_loss" in dataset else dataset["loss"]
  return loss.where((dataset["finite"] == 1) & np.isfinite(loss), np.inf)


def shortlisted(dataset: "xr.Dataset", count: int, n_samples: int, mesh: Mesh) -> "xr.Dataset":
  """Returns the dataset with `shortlist_loss`, a more precise loss of the best restarts.

  Args:
    dataset: with an axis `restart`.
    count: restarts of minimum loss in every cell that are on the shortlist; all others have nan.
    n_samples: examples on which they are evaluated, more than all restarts could be.
    mesh: the devices.
  """
  import xarray as xr

  loss = ranked_loss(dataset).transpose(..., "restart")
  chosen = loss.copy(data=np.argsort(loss.values, axis=-1))[..., :count]
  chosen = chosen.drop_vars("restart").rename(restart="candidate")
  models = trained.trained(dataset.isel(restart=chosen))
  problem, root = models.problem, streams.root(models.problem.spec.seed)

  def precise_loss(params: Params, instance: Instance):
    return problem.reduction(evaluation.sampled(problem, params, instance, root, n_samples))

  dims, values = models.unflatten(trained.each(precise_loss, models, mesh))
  precise = xr.DataArray(values, dims=dims).transpose(*chosen.dims)
  filled = np.full(loss.shape, np.nan, np.float32)
  np.put_along_axis(filled, chosen.values, precise.values, axis=-1)
  attributes = {"long_name": f"loss on {n_samples} examples; nan outside the shortlist"}
  return dataset.assign(shortlist_loss=(loss.dims, filled, attributes))


def with_restarts(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset with a dimension `restart`, of length 1 if it had none."""
  return dataset if "restart" in dataset.dims else dataset.expand_dims("restart")


def best(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset at the restart of minimum loss, in every cell of the other axes.

  `restart` remains as a coordinate. A dataset without restarts is returned unchanged.
  """
  if "restart" not in dataset.dims:
    return dataset
  return dataset.isel(restart=ranked_loss(dataset).argmin("restart"))


def judged(dataset: "xr.Dataset", mesh: Mesh, n_samples: int = 0) -> "xr.Dataset":
  """Returns the dataset with the loss of the best restart on examples that did not rank it.

  The minimum of several sampled losses is lower than the loss of the model that has it.

  Args:
    dataset: with losses on samples.
    mesh: the devices.
    n_samples: fresh examples; 0 stands for as many as ranked the restarts.

  Returns:
    The dataset with `judged_loss` and its standard error `judged_error`, without `restart`.
  """
  chosen = best(dataset).drop_vars("restart", errors="ignore")
  n_samples = n_samples or schema.config(dataset)["evaluation.n_samples"]
  losses = batch_losses(chosen, n_samples, evaluation.JUDGING, mesh)
  attributes = {"long_name": f"loss of the best restart on {n_samples} other examples"}
  return dataset.assign(
    judged_loss=losses.mean("batch").assign_attrs(attributes), judged_error=standard_error(losses)
  )


def batch_losses(
  dataset: "xr.Dataset", n_samples: int, stream: int, mesh: Mesh, by_feature: bool = False
) -> "xr.DataArray":
  """Returns the losses of all models, with a last axis `batch`, of batches of the same examples.

  Args:
    dataset: the models.
    n_samples: examples in all.
    stream: number of a stream of evaluation samples.
    mesh: the devices.
    by_feature: whether there is an axis `feature` after `batch`, rather than the reduced loss.
  """
  import xarray as xr

  models = trained.trained(dataset)
  problem, root = models.problem, streams.root(models.problem.spec.seed)

  def losses(params: Params, instance: Instance):
    means = evaluation.sampled_batches(problem, params, instance, root, n_samples, stream)
    return means if by_feature else jax.vmap(problem.reduction)(means)

  dims, values = models.unflatten(trained.each(losses, models, mesh))
  own = ("batch", "feature") if by_feature else ("batch",)
  return xr.DataArray(values.astype(float), dims=(*dims, *own))


def standard_error(batches: "xr.DataArray") -> "xr.DataArray":
  """Returns the standard error of the mean over `batch`; nan of a single one."""
  mean, n = batches.mean("batch"), batches.sizes["batch"]
  if n == 1:
    return mean * np.nan
  return (((batches - mean) ** 2).sum("batch", skipna=False) / (n - 1) / n) ** 0.5


def count(holds: "xr.DataArray") -> str:
  """Returns how many restarts have a property, in words: "7 of 8 restarts"."""
  return f"{int(holds.sum())} of {holds.size} restarts"
