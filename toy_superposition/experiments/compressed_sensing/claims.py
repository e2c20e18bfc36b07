"""Compressed sensing: features per dimension against what sparsity allows, and how many almost
orthogonal directions fit at all.

Paper, appendix "Connection to Compressed Sensing", and its remark on almost orthogonal vectors.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments.compressed_sensing import theory
from toy_superposition.experiments.experiment import (
  REPORTED,
  Analysis,
  Claim,
  require,
  require_axes,
  verdict,
)
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

# F · (−p ln p) along the paper's published curve, at 1/p = 1/(1 − S).
PUBLISHED = {2.0: 0.64, 3.0: 0.75, 4.0: 0.80, 10.0: 1.08}
# Features per dimension are published and read off to 5–10 %, and grow with training by as much.
TOLERANCE = 0.15
ORDER_ONE = (0.5, 2.0)  # within a factor of two of 1
SPARSE = 2.0  # 1/p from which on features are in superposition
COUNTS = (12, 16, 24, 40, 100)  # of vectors that are spread out in the model's dimensions
LARGEST, GROWTH = 0.5, (2, 3, 4, 5, 6)  # |cos|, and dimensions in which as many as fit are put
LEAST_POINTS = 6


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where features are not uniform, or too few for their number not to matter."""
  del axes, groups
  wanted = {
    "model.name": "relu_output",
    "data.distribution": "sparse_uniform",
    "density.profile": "uniform",
    "importance.profile": "uniform",
  }
  require(values, "compressed_sensing", wanted)
  require_axes(values, "compressed_sensing", {"density": "density.base"}, optional=())


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with F, its product with −p ln p, and the numbers of vectors that fit."""
  del mesh, memory_budget
  m = dataset.sizes["hidden"]
  per_dimension = (dataset["W"] ** 2).sum(("hidden", "feature")) / m
  counts = [n for n in COUNTS if n > m]
  spread = [theory.coherence(theory.spread_out(n, m)) for n in counts]
  rng = np.random.default_rng(0)
  random = [theory.coherence(rng.normal(size=(m, n))) for n in counts]
  return dataset.assign_coords(vectors=counts, dimensions=list(GROWTH)).assign(
    features_per_dimension=per_dimension,
    sensing_product=per_dimension / theory.sensing_bound(dataset["density"].values),
    coherence_found=("vectors", np.array(spread)),
    coherence_random=("vectors", np.array(random)),
    coherence_welch=("vectors", np.array([theory.welch(n, m) for n in counts])),
    most_found=("dimensions", np.array([theory.most_within(LARGEST, d) for d in GROWTH])),
  )


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns how the models and the searches compare with the bounds."""
  product = dataset["sensing_product"].sortby("density", ascending=False)
  x = 1 / product["density"].values
  sparse = x >= SPARSE * 0.99
  decided = int(sparse.sum()) >= LEAST_POINTS
  inside = (product.values >= ORDER_ONE[0]) & (product.values <= ORDER_ONE[1])
  at = np.interp(np.log(list(PUBLISHED)), np.log(x), product.values)
  ratio = at / np.array(list(PUBLISHED.values()))
  listed = ", ".join(f"{a:.1f}: {b:.2f}" for a, b in zip(x[sparse], product[sparse], strict=True))
  found, welch = dataset["coherence_found"].values, dataset["coherence_welch"].values
  counts = dataset["vectors"].values
  most, dimensions = dataset["most_found"].values, dataset["dimensions"].values
  surely = np.array([theory.johnson_lindenstrauss(LARGEST, int(d)) for d in dimensions])
  slope = float(np.polyfit(dimensions, np.log(most), 1)[0])
  m = dataset.sizes["hidden"]
  return [
    Claim(
      f"features per dimension F are O(1/(−p ln p)): F · (−p ln p) by 1/p ≥ {SPARSE:g}",
      listed,
      f"of order 1: {ORDER_ONE[0]:g} to {ORDER_ONE[1]:g}",
      verdict(bool(inside[sparse].all()), decided),
    ),
    Claim(
      "F · (−p ln p) at 1/p = " + ", ".join(f"{a:g}" for a in PUBLISHED),
      ", ".join(f"{a:.2f}" for a in at),
      f"{', '.join(f'{a:.2f}' for a in PUBLISHED.values())} along the published curve, each "
      f"±{TOLERANCE:.0%}",
      verdict(bool(np.all(np.abs(ratio - 1) <= TOLERANCE)), decided),
    ),
    Claim(
      f"least |cos| found for {', '.join(map(str, counts))} vectors in {m} dimensions",
      ", ".join(f"{a:.3f}" for a in found),
      f"≥ {', '.join(f'{a:.3f}' for a in welch)} (Welch), and below random directions'",
      verdict(bool(np.all(found >= welch) and np.all(found < dataset["coherence_random"].values))),
    ),
    Claim(
      f"vectors found to fit with |cos| ≤ {LARGEST:g} into {', '.join(map(str, dimensions))} "
      "dimensions",
      ", ".join(map(str, most)),
      f"≥ {', '.join(f'{a:.1f}' for a in surely)} (exp(d c²/4), Johnson–Lindenstrauss)",
      verdict(bool(np.all(most >= surely))),
    ),
    Claim(
      "growth of that number with each dimension, fitted",
      f"× {np.exp(slope):.2f}; from {dimensions[-2]} to {dimensions[-1]}: "
      f"× {most[-1] / most[-2]:.2f}",
      f"exponential; at least × {np.exp(LARGEST**2 / 4):.2f}, in many dimensions",
      REPORTED,
    ),
  ]


ANALYSIS = Analysis("Appendix: Connection to Compressed Sensing", (), check, claims, run)
