"""Several trainings of the same problem: which one is best, and how many are like it."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
  import xarray as xr


def ranked_loss(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns the losses, infinite where a model is not finite."""
  return dataset["loss"].where(dataset["finite"] == 1, np.inf)


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
