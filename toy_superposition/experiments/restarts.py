"""Several trainings of the same problem: which one is best, and how many are like it."""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh

from toy_superposition import evaluation, streams
from toy_superposition.experiments import trained

if TYPE_CHECKING:
  import xarray as xr


def ranked_loss(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns the losses, infinite where a model is not finite; of a shortlist where there is one,
  and infinite for all others."""
  loss = dataset["shortlist_loss"] if "shortlist_loss" in dataset else dataset["loss"]
  return loss.where((dataset["finite"] == 1) & np.isfinite(loss), np.inf)


def shortlisted(dataset: "xr.Dataset", count: int, n_samples: int, mesh: Mesh) -> "xr.Dataset":
  """Returns the dataset with `shortlist_loss`: of the `count` best restarts in every cell, on more
  examples than all restarts could be judged on; nan for the others."""
  import xarray as xr

  loss = ranked_loss(dataset).transpose(..., "restart")
  chosen = loss.copy(data=np.argsort(loss.values, axis=-1))[..., :count]
  chosen = chosen.drop_vars("restart").rename(restart="place")
  models = trained.trained(dataset.isel(restart=chosen))
  one, root = models.problem, streams.root(models.problem.spec.seed)

  def judge(params, instance):
    return one.reduction(evaluation.sampled(one, params, instance, root, n_samples))

  dims, values = models.unflatten(trained.each(judge, models, mesh))
  again = xr.DataArray(values, dims=dims).transpose(*chosen.dims)
  filled = np.full(loss.shape, np.nan, np.float32)
  np.put_along_axis(filled, chosen.values, again.values, axis=-1)
  attributes = {"long_name": f"loss on {n_samples} examples; nan outside the shortlist"}
  return dataset.assign(shortlist_loss=(loss.dims, filled, attributes))


def best(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset at the restart of least loss, in every cell of the other axes.

  `restart` remains as a coordinate. A dataset without restarts is returned as it is.
  """
  if "restart" not in dataset.dims:
    return dataset
  return dataset.isel(restart=ranked_loss(dataset).argmin("restart"))


def count(holds: "xr.DataArray") -> str:
  """Returns in words how many restarts have a property: "7 of 8 restarts"."""
  return f"{int(holds.sum())} of {holds.size} restarts"
