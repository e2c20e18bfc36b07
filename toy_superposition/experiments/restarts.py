"""Several trainings of the same problem: the best of them, and how many have a property."""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh

from toy_superposition import evaluation, streams
from toy_superposition.experiments import trained
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


def count(holds: "xr.DataArray") -> str:
  """Returns how many restarts have a property, in words: "7 of 8 restarts"."""
  return f"{int(holds.sum())} of {holds.size} restarts"
