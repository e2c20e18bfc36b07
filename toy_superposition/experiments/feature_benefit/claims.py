"""What the parts of the models' losses show of the paper's formulas.

Paper, section "Mathematical Understanding".
"""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.experiment import REPORTED, Claim, identity, verdict
from toy_superposition.experiments.feature_benefit import energy
from toy_superposition.experiments.feature_benefit.analysis import LINEAR, RELU

if TYPE_CHECKING:
  import xarray as xr

EQUAL, SAMPLED, ENERGY = 1e-5, 0.01, 1e-3  # tolerances: relative, relative, absolute
NO_INTERFERENCE = 1e-3  # Σ I_j (W_i · W_j)² up to which a model counts as without interference


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the paper's formulas and on what follows from them."""
  return [
    *_identity_claims(dataset),
    *_linear_claims(dataset),
    _share_claim(dataset),
    _tolerance_claim(dataset),
    _energy_claim(dataset),
  ]


def _identity_claims(dataset: "xr.Dataset") -> list[Claim]:
  """Losses that are computed in two ways."""
  loss = dataset["best_loss"].transpose("model", "density")
  sampled = abs(dataset["sampled_loss"].transpose("model", "density") / loss - 1)
  terms = abs(dataset["linear_loss"].sel(model=LINEAR) / loss.sel(model=LINEAR) - 1)
  total = abs(dataset["sparse_terms"].sum("n_active") / loss.sel(model=RELU) - 1)
  return [
    Claim(
      f"{statement}: largest relative difference over densities",
      f"{float(error.max()):.1e}",
      f"≤ {tolerance:g}",
      identity(float(error.max()) <= tolerance, decided=bool(np.isfinite(error.values).all())),
    )
    for statement, error, tolerance in (
      (
        "the linear model's expected loss is the variance × (feature benefit + interference)",
        terms,
        EQUAL,
      ),
      (
        "the ReLU model's expected loss is the sum of its parts with k active features",
        total,
        EQUAL,
      ),
      ("the expected loss of either model is its mean over examples", sampled, SAMPLED),
    )
  ]


def _linear_claims(dataset: "xr.Dataset") -> list[Claim]:
  """Superposition is never optimal without a ReLU."""
  linear = dataset.sel(model=LINEAR)
  m = dataset.sizes["hidden"]
  importance = linear["feature_importance"].values.reshape(-1, dataset.sizes["feature"])
  absent = float(np.sort(importance[0])[::-1][m:].sum())
  cost, benefit = float(linear["interference"].max()), linear["benefit"].values
  return [
    Claim(
      "the linear model has no interference, which is never worth a further feature: largest "
      "interference over densities",
      f"{cost:.1e}",
      f"≤ {NO_INTERFERENCE:g}",
      identity(cost <= NO_INTERFERENCE),
    ),
    Claim(
      f"the linear model gives up all but the {m} most important features: feature benefit term "
      "over densities",
      f"{benefit.min():.4f}–{benefit.max():.4f}",
      f"{absent:.4f} ± {NO_INTERFERENCE:g}, the sum of the other features' importances",
      identity(bool(np.all(np.abs(benefit - absent) <= NO_INTERFERENCE))),
    ),
  ]


def _share_claim(dataset: "xr.Dataset") -> Claim:
  """Where features are rare, inputs with one active feature decide."""
  sparse = dataset["sparse_terms"].sortby("density").isel(density=0)
  share = (sparse / sparse.sum()).values
  return Claim(
    "shares of the ReLU model's loss by number of active features, p = "
    f"{float(sparse['density']):.2g}",
    ", ".join(f"{k}: {value:.0%}" for k, value in enumerate(share)),
    "0 and 1 active features alone in the limit of sparsity",
    REPORTED,
  )


def _tolerance_claim(dataset: "xr.Dataset") -> Claim:
  """The ReLU model accepts interference that would cost a linear one dearly."""
  relu = dataset.sel(model=RELU).sortby("density", ascending=False)
  ratio = (dataset["best_loss"].sel(model=RELU) / dataset["best_loss"].sel(model=LINEAR)).sortby(
    "density", ascending=False
  )
  ends = [relu.isel(density=k) for k in (0, -1)]
  measured = "; ".join(
    f"{float(end['interference']):.2f} (loss {float(ratio.isel(density=k)):.2f} times the linear "
    "model's)"
    for k, end in zip((0, -1), ends, strict=True)
  )
  listed = ", ".join(f"{float(end['density']):.2g}" for end in ends)
  first, last = (float(end["interference"]) for end in ends)
  return Claim(
    f"interference of the ReLU model's best weights, dense and sparse (p = {listed})",
    measured,
    f"≤ {NO_INTERFERENCE:g} when dense, more when sparse, at a lower loss than the linear model's",
    verdict(
      first <= NO_INTERFERENCE < last and float(ratio.isel(density=-1)) < 1,
      decided=float(ends[0]["density"]) == 1,
    ),
  )


def _energy_claim(dataset: "xr.Dataset") -> Claim:
  expected = np.array(list(energy.MINIMA.values()))
  minima = dataset["least_energy"].values
  return Claim(
    "minimum energy Σ ReLU(cos)² of unit vectors: " + ", ".join(dataset["arrangement"].values),
    ", ".join(f"{value:.4f}" for value in minima),
    f"{', '.join(f'{value:g}' for value in expected)}, each ±{ENERGY:g}",
    identity(bool(np.all(np.abs(minima - expected) <= ENERGY))),
  )
