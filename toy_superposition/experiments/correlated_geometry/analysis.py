"""How much of WᵀW lies in the manifold's coordinates, and the exact optimum of linear models."""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments import restarts
from toy_superposition.experiments.correlated_geometry import theory

if TYPE_CHECKING:
  import xarray as xr

DIMS = ("manifold", "model", "decay", "restart")
ALL = (*DIMS[:3], "m", "restart")  # of the gathered dataset


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset of one m with, of every model, `harmonic_share` of WᵀW in the manifold's
  coordinates and `n_modes`, how many modes it uses; of every manifold `linear_optimum`,
  `total_variance`, `chance_share` and `variance`, the spectrum; and `gram`, the best restart's
  WᵀW."""
  del mesh, memory_budget
  W = dataset["W"].transpose(*DIMS, "hidden", "feature").values.astype(float)
  m, n = W.shape[-2:]
  exact = [theory.moments(str(name), n) for name in dataset["manifold"].values]
  inside = np.stack([theory.share(W[k], one.coordinates) for k, one in enumerate(exact)])
  best = restarts.best(dataset, "restart")["W"].transpose(*DIMS[:3], "hidden", "feature")
  gram = np.einsum("...hi,...hj->...ij", best.values, best.values)
  spectra = np.stack([theory.spectrum(one.covariance) for one in exact])
  return dataset.assign(
    harmonic_share=(DIMS, inside, {"long_name": "share of WᵀW in the manifold's coordinates"}),
    n_modes=(DIMS, theory.n_modes(W), {"long_name": "(tr G)² / tr G² of G = W Wᵀ"}),
    linear_optimum=(
      "manifold",
      [theory.linear_optimum(one.covariance, m) for one in exact],
      {"long_name": "least loss of linear models"},
    ),
    total_variance=("manifold", spectra.sum(axis=1), {"long_name": "Σ Var x_i"}),
    chance_share=(
      "manifold",
      [one.n_coordinates / n for one in exact],
      {"long_name": "share of random weights"},
    ),
    variance=(("manifold", "component"), spectra, {"long_name": "eigenvalues of Cov x"}),
    gram=((*DIMS[:3], "word", "other_word"), gram, {"long_name": "WᵀW of the best restart"}),
  )
