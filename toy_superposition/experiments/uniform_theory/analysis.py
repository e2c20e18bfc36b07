"""What theory is compared with: sums of dimensionalities, ranks, and the loss of a fixed code."""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float
from scipy.linalg import hadamard

from toy_superposition.geometry.capacity import capacities, leverages
from toy_superposition.theory import mean_field

if TYPE_CHECKING:
  import xarray as xr

# Of a fixed code with the same share of dimensions: with fewer features interference is not normal.
CODE_FEATURES, SAMPLES, BATCHES = 1024, 512, 4
BLOCKS = "block_division"  # the certificate that the mean field is compared with


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset of one model size with `dimensionality_sum` ΣD_i and `leverage_sum`, the
  rank, of every model; with `mean_field_loss` of all features; and with `code_ratio`, the loss of a
  Hadamard code with the mean field's gain and bias over the mean field's, where all features are
  represented (nan elsewhere)."""
  del mesh, memory_budget
  outer = dataset["loss"].dims
  W = dataset["W"].transpose(*outer, "hidden", "feature").values.astype(float)
  share = dataset.sizes["hidden"] / dataset.sizes["feature"]
  densities = dataset["density"].values.tolist()
  field = [dataset.sizes["feature"] * mean_field.loss_per_feature(share, p) for p in densities]
  scores, _ = leverages(W)
  return dataset.assign(
    dimensionality_sum=(outer, capacities(W).sum(axis=-1), {"long_name": "ΣD_i"}),
    leverage_sum=(outer, scores.sum(axis=-1), {"long_name": "Σ (W⁺W)_ii, the rank of W"}),
    mean_field_loss=("density", field, {"long_name": "loss of the mean field, all features"}),
    code_ratio=(
      "density",
      [code_ratio(share, p) for p in densities],
      {"long_name": "loss of a Hadamard code over the mean field's; nan in the partial phase"},
    ),
  )


def code(n: int, m: int, gain: float) -> Float[np.ndarray, "hidden feature"]:
  """Returns m random rows of a Hadamard matrix as columns of squared norm `gain`: a tight frame.

  Raises:
    ValueError: n is not a power of two.
  """
  rows = np.random.default_rng(0).choice(n, m, replace=False)
  return hadamard(n)[rows] * np.sqrt(gain / m)


def code_ratio(share: float, density: float, n: int = CODE_FEATURES) -> float:
  """Returns the loss of a Hadamard code, on samples, over that of the mean field.

  Args:
    share: m/n.
    density: of all features.
    n: features of the code, a power of two.

  Returns:
    The ratio; nan where the mean field leaves features out.
  """
  if share * mean_field.best_load(density) < 1:
    return float("nan")
  best = mean_field.represented(1 / share, density)
  W = code(n, max(round(share * n), 1), best.gain).astype(np.float32)
  rng, total = np.random.default_rng(1), 0.0
  # The mean of the interference goes into the bias, feature by feature: where the constant row is
  # among the chosen ones, it is not 0.
  mean = ((W.T @ W).sum(axis=1) - best.gain) * density / 2
  for _ in range(BATCHES):
    x = rng.uniform(size=(n, SAMPLES)) * (rng.uniform(size=(n, SAMPLES)) < density)
    x = x.astype(np.float32)
    output = np.maximum(W.T @ (W @ x) + (best.bias - mean)[:, None], 0)
    total += float(((x - output) ** 2).mean())
  return total / BATCHES / best.loss
