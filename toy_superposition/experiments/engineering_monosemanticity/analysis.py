"""Counts of monosemantic neurons of trained layers and of random directions, and known losses."""

import functools
import json
from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments.engineering_monosemanticity import theory
from toy_superposition.geometry.definitions import SILENT, is_monosemantic, purity

if TYPE_CHECKING:
  import xarray as xr

DIMS = ("bias", "embedding")
COUNTS = ("active", "monosemantic", "strict", "features")
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
N_SAMPLES = 2**13
EDGES = np.linspace(0, 1, 21)  # of the histogram of purities


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset of one number of neurons with `counts` of neurons by their responses to
  single features, `chance` (those of random directions of the same norms and biases), the mean
  trained bias of monosemantic and of other active neurons, a histogram of purities, and the losses
  `affine` and `detectors`."""
  del mesh, memory_budget
  p = float(json.loads(dataset.attrs["config"])["density.base"])
  n, m = dataset.sizes["feature"], dataset.sizes["input"]
  W, b, P = (
    dataset[name].transpose(*DIMS, ...).values.astype(float)
    for name in ("W_in", "b_in", "dictionary")
  )
  shape = W.shape[:2]
  found, chance = np.zeros((2, *shape, len(COUNTS)))
  biases = np.full((*shape, 2), np.nan)
  histogram = np.zeros((*shape, len(EDGES) - 1))
  for at in np.ndindex(*shape):
    A = theory.responses(W[at], b[at], P[at])
    found[at] = theory.counts(A)
    rng = np.random.default_rng([2211, *at])
    chance[at] = theory.counts(theory.responses(theory.by_chance(rng, W[at]), b[at], P[at]))
    alone, active = is_monosemantic(A, nonnegative=True), A.max(axis=1) > SILENT
    for k, chosen in enumerate((alone, active & ~alone)):
      if chosen.any():
        biases[(*at, k)] = b[at][chosen].mean()
    histogram[at] = np.histogram(purity(A)[active], EDGES)[0]
  known = [detectors(k, tuple(map(tuple, one.tolist())), p) for k, one in enumerate(P[0])]
  middles = (EDGES[1:] + EDGES[:-1]) / 2
  return dataset.assign_coords(
    count=list(COUNTS), kind=["monosemantic", "others"], purity=middles
  ).assign(
    counts=((*DIMS, "count"), found, {"long_name": "neurons, or features with one of their own"}),
    chance=((*DIMS, "count"), chance, {"long_name": "the same of random directions"}),
    trained_bias=((*DIMS, "kind"), biases, {"long_name": "mean bias of neurons"}),
    histogram=((*DIMS, "purity"), histogram, {"long_name": "active neurons"}),
    affine=((), theory.affine_loss(n, m, p), {"long_name": "loss of the best affine decoder"}),
    detectors=("embedding", known, {"long_name": "loss of a neuron for every feature"}),
  )


@functools.cache  # the same for every number of neurons of a sweep
def detectors(number: int, embedding: tuple[tuple[float, ...], ...], p: float) -> float:
  """Returns the loss of a neuron for every feature of an embedding of that number."""
  rng = np.random.default_rng([9169, number])
  return theory.detectors_loss(rng, np.array(embedding), p, THRESHOLDS, N_SAMPLES)
