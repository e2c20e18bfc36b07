"""Which restart is the best, by paired losses on fresh examples."""

from typing import TYPE_CHECKING

from jax.sharding import Mesh

from toy_superposition.experiments import restarts

if TYPE_CHECKING:
  import xarray as xr

# Successive rounds: the share of all restarts that takes part, as 1/…, and the examples of each.
ROUNDS = ((1, 102_400), (4, 409_600))


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with a shortlist of the best restarts (restarts.shortlisted); unchanged
  without restarts."""
  del memory_budget
  if "restart" not in dataset.dims:
    return dataset
  n_restarts = dataset.sizes["restart"]
  rounds = [(-(-n_restarts // part), n_samples) for part, n_samples in ROUNDS]
  return restarts.shortlisted(dataset, rounds, mesh)
