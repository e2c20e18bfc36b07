"""Losses of both models before and after random rotations of their hidden layers."""

from typing import TYPE_CHECKING

from jax.sharding import Mesh

from toy_superposition.experiments import rotations

if TYPE_CHECKING:
  import xarray as xr

MODELS = {"relu_output": False, "relu_hidden": True}  # whether a rotation matters


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the losses of every model before and after rotations."""
  import xarray as xr

  del memory_budget
  parts = [
    rotations.with_rotations(dataset.sel(model=name), mesh, **{"model.name": name})
    for name in dataset["model"].values.tolist()
  ]
  return xr.concat(parts, "model", data_vars="all").transpose("model", ...)
