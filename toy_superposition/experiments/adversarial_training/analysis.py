"""Features per dimension, and how many features share dimensions, by size of training's attacks."""

from typing import TYPE_CHECKING

from jax.sharding import Mesh

from toy_superposition.experiments.uniform import IN_SUPERPOSITION

if TYPE_CHECKING:
  import xarray as xr

DIMS = ("attack", "density", "restart")
# ‖W_i‖ from which on a feature is counted as present. Lower than the norm of .548 of a represented
# feature (definitions.REPRESENTED): attacks in training shrink weights to half.
PRESENT_NORM = 0.25


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with features per dimension, ‖W‖²_F / m, and `n_shared`, the number of
  features in superposition."""
  del mesh, memory_budget
  dataset = dataset.transpose(*DIMS, ...).sortby("attack").sortby("density", ascending=False)
  shared = (dataset["feature_norm"] >= PRESENT_NORM) & (
    dataset["superposition"] >= IN_SUPERPOSITION
  )
  norm2 = (dataset["feature_norm"] ** 2).sum("feature")
  return dataset.assign(
    features_per_dimension=norm2 / dataset.sizes["hidden"], n_shared=shared.sum("feature")
  )
