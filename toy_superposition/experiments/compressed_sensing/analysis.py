"""Features per dimension against what sparsity allows, and vectors that a search spreads out."""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments.compressed_sensing import theory
from toy_superposition.geometry.definitions import features_per_dimension
from toy_superposition.theory import sensing

if TYPE_CHECKING:
  import xarray as xr

COUNTS = (12, 16, 24, 40, 100)  # of vectors that are spread out in the model's dimensions
LARGEST = 0.5  # |cos| up to which vectors are put into a space
GROWTH = (2, 3, 4, 5, 6)  # dimensions into which as many vectors are put as the search can fit


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with F = ‖W‖²_F / m, its product with −p ln p, and the vectors that fit."""
  del mesh, memory_budget
  m = dataset.sizes["hidden"]
  W = dataset["W"].transpose(..., "hidden", "feature")
  per_dimension = features_per_dimension(W.values)
  counts = [n for n in COUNTS if n > m]
  spread = [theory.coherence(theory.spread_out(n_vectors=n, n_dimensions=m)) for n in counts]
  rng = np.random.default_rng(0)
  random = [theory.coherence(rng.normal(size=(m, n))) for n in counts]
  return dataset.assign_coords(vectors=counts, dimensions=list(GROWTH)).assign(
    features_per_dimension=("density", per_dimension),
    sensing_product=("density", per_dimension / sensing.sensing_bound(dataset["density"].values)),
    coherence_found=("vectors", np.array(spread)),
    coherence_random=("vectors", np.array(random)),
    coherence_welch=(
      "vectors",
      np.array([theory.welch(n_vectors=n, n_dimensions=m) for n in counts]),
    ),
    most_found=("dimensions", np.array([theory.most_within(LARGEST, d) for d in GROWTH])),
  )
