"""Whether training is at least as good as both theories of equal features say it can be."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.certificates import BOUND, TOLERANCE
from toy_superposition.experiments.experiment import REPORTED, Claim, identity, verdict
from toy_superposition.experiments.restarts import ranked_loss, with_restarts
from toy_superposition.experiments.uniform_theory.analysis import BLOCKS, CODE_FEATURES
from toy_superposition.records import schema

if TYPE_CHECKING:
  import xarray as xr

MIN_RESTARTS = 5
# Density, m/n, and trained loss over the mean field's that was verified independently; of the last
# one two digits are known, from another number of features and another training.
VERIFIED = (0.05, 0.25, 0.73)
DIGITS = 0.03
ROUND_OFF = 1e-3  # of a sum of dimensionalities of float32 weights, relative


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts, from the models of all sizes."""
  dataset = with_restarts(dataset).transpose("m", "density", "restart", ...)
  decided = dataset.sizes["restart"] >= MIN_RESTARTS
  return [
    _code_claim(dataset),
    _block_claim(dataset, decided),
    _mean_field_claim(dataset, decided),
    *_verified_claim(dataset, decided),
    _lower_claim(dataset),
    _rank_claim(dataset),
    _tight_claim(dataset),
  ]


def best(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns the best restart's loss, by size and density."""
  return ranked_loss(dataset).min("restart").transpose("m", "density")


def blocks(dataset: "xr.Dataset", name: str = BOUND) -> "xr.DataArray":
  """Returns the block bound, or another number of its certificate, by size and density."""
  return dataset[name].sel(certificate=BLOCKS).max("restart").transpose("m", "density")


def _code_claim(dataset: "xr.Dataset") -> Claim:
  parts = []
  for density in dataset["density"].values:
    ratio = dataset["code_ratio"].sel(density=density).values
    ratio = ratio[np.isfinite(ratio)]
    if ratio.size:
      active = CODE_FEATURES * float(density)
      parts.append(f"{ratio.min():.3f} to {ratio.max():.3f} with {active:.0f} active features")
  return Claim(
    f"loss of {CODE_FEATURES} features whose directions are random rows of a Hadamard matrix, with "
    "gain and bias of the mean field, over the mean field's, where it represents all features",
    "; ".join(parts) or "no cell",
    "",
    REPORTED,
  )


def _named(ratio: "xr.DataArray", chosen: np.ndarray) -> str:
  """Returns the cells where it is true."""
  return ", ".join(
    f"m = {ratio['m'].values[i]}, p = {ratio['density'].values[j]:g}: {ratio.values[i, j]:.3f}"
    for i, j in np.argwhere(chosen)
  )


def _block_claim(dataset: "xr.Dataset", decided: bool) -> Claim:
  ratio = best(dataset) / blocks(dataset)
  allowed = 1 + blocks(dataset, TOLERANCE)
  worse = (ratio > allowed).values
  measured = f"best restart over the bound: {float(ratio.min()):.3f} to {float(ratio.max()):.3f}"
  return Claim(
    "training equal features is at least as good as the best division of the dimensions among "
    "small polytopes, at every density and every m/n",
    measured + (f"; above it at {_named(ratio, worse)}" if worse.any() else ""),
    f"at most 1 + tolerance ({float(allowed.min() - 1):.3f} to {float(allowed.max() - 1):.3f}, for "
    "sampling) in every cell",
    verdict(not worse.any(), decided),
  )


def _mean_field_claim(dataset: "xr.Dataset", decided: bool) -> Claim:
  ratio = best(dataset) / dataset["mean_field_loss"].transpose("m", "density")
  worse = (ratio > 1).values
  measured = f"best restart over the mean field: {float(ratio.min()):.3f} to "
  measured += f"{float(ratio.max()):.3f}"
  return Claim(
    "trained models pack equal features better than random codes do: their loss is below the mean "
    "field's at every density and every m/n",
    measured + (f"; above it at {_named(ratio, worse)}" if worse.any() else ""),
    "below 1 in every cell",
    verdict(not worse.any(), decided),
  )


def _verified_claim(dataset: "xr.Dataset", decided: bool) -> list[Claim]:
  """The ratio that was verified independently, if the sweep has that cell."""
  density, share, expected = VERIFIED
  at = np.flatnonzero(np.isclose(dataset["density"].values, density))
  n = schema.config(dataset)["model.n_features"]
  size = np.flatnonzero(np.isclose(dataset["m"].values / n, share))
  if not len(at) or not len(size):
    return []
  cell = dataset.isel(density=at[:1], m=size[:1])
  each = (cell["loss"] / cell["mean_field_loss"]).values.ravel()
  found = float((best(cell) / cell["mean_field_loss"]).values.item())
  return [
    Claim(
      f"trained loss over the mean field's at p = {density:g}, m/n = {share:g}",
      f"{found:.3f} (restarts {each.min():.3f} to {each.max():.3f})",
      f"{expected:g} in an independent computation, ± {DIGITS:g}",
      verdict(abs(found - expected) <= DIGITS, decided),
    )
  ]


def _lower_claim(dataset: "xr.Dataset") -> Claim:
  ratio = blocks(dataset) / dataset["mean_field_loss"]
  lines = []
  for p in np.sort(dataset["density"].values)[::-1].tolist():
    row = ratio.sel(density=p).values
    lines.append(f"p = {p:g}: {row.min():.3f}–{row.max():.3f}")
  return Claim(
    "loss of the best division into polytopes over that of the mean field, over all m/n",
    "; ".join(lines),
    "below 1 polytopes are better, above 1 random codes",
    REPORTED,
  )


def _rank_claim(dataset: "xr.Dataset") -> Claim:
  over = (dataset["dimensionality_sum"] / dataset["leverage_sum"]).values
  return Claim(
    "the dimensionalities D_i of a model add up to at most the rank of W",
    f"ΣD_i over the rank: {over.min():.4f} to {over.max():.4f} in {over.size} models",
    f"at most 1, within {ROUND_OFF:g} for round-off",
    identity(bool((over <= 1 + ROUND_OFF).all())),
  )


def _tight_claim(dataset: "xr.Dataset") -> Claim:
  over = (dataset["dimensionality_sum"] / dataset["m"]).transpose("density", "m", "restart")
  listed = "; ".join(
    f"p = {p:g}: {over.sel(density=p).values.min():.3f}–{over.sel(density=p).values.max():.3f}"
    for p in np.sort(dataset["density"].values)[::-1].tolist()
  )
  return Claim(
    "share of the hidden dimensions that dimensionalities of trained models add up to, ΣD_i / m",
    listed,
    "1 if and only if every column is an eigenvector of WWᵀ, as in any tight frame",
    REPORTED,
  )
