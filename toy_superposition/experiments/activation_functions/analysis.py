"""The extra feature's phase in the best restart, by activation, relative importance and density."""

from typing import TYPE_CHECKING

from jax.sharding import Mesh

from toy_superposition.experiments import restarts
from toy_superposition.experiments.phase_plane import PLANE
from toy_superposition.theory import phase_change as theory

if TYPE_CHECKING:
  import xarray as xr

MAP = ("model", *PLANE)
REFERENCE = "relu_output"
# Model x′ = f(WᵀW x + b) → name of its activation f.
LABELS = {
  "linear": "linear",
  "relu_output": "ReLU",
  "leaky_relu_output": "leaky ReLU",
  "squared_relu_output": "ReLU²",
  "gelu_output": "GELU",
  "softplus_output": "softplus",
  "tanh_output": "tanh",
}


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with norm, superposition and phase of the best restart's extra feature."""
  del mesh, memory_budget
  best = restarts.best(dataset).isel(feature=-1).transpose(*MAP, ...)
  norm, overlap = best["feature_norm"], best["superposition"]
  return dataset.assign(
    best_norm=norm.drop_vars("restart", errors="ignore"),
    best_superposition=overlap.drop_vars("restart", errors="ignore"),
    best_phase=(MAP, theory.classify(norm.values, overlap.values)),
  )
