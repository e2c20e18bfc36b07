"""Whether pairs get latents of their own, and whether features keep theirs."""

import json
from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.dictionaries import all_finite
from toy_superposition.experiments.experiment import Claim, verdict

if TYPE_CHECKING:
  import xarray as xr

MIN_SEEDS, MIN_STEPS = 10, 5000
ALWAYS = 1 - 1e-5  # probability of a set from which it counts as always active
REACHED = 0.1  # of what pairs save: how far above the least cost training may end


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on pairs of features."""
  config = json.loads(dataset.attrs["config"])
  size = config["data.set_size"]
  decided = dataset.sizes["seed"] >= MIN_SEEDS and config["train.steps"] >= MIN_STEPS
  decided = decided and all_finite(dataset)
  active = size * dataset["density"].values
  always = dataset.isel(density=np.flatnonzero(active >= ALWAYS))
  others = dataset.isel(density=np.flatnonzero(active < ALWAYS))
  rows = []
  if always.sizes["density"]:
    rows += _always(always, size, decided)
  if others.sizes["density"]:
    rows += _sometimes(others, size, decided)
  return rows


def _always(part: "xr.Dataset", size: int, decided: bool) -> list[Claim]:
  """Both sets are active in every example."""
  found, features = part["pairs_found"], part["features_found"]
  return [
    Claim(
      "where features always come in pairs, every pair has a latent of its own at every λ",
      f"of {size**2} pairs, by λ: {_by(found, 'sparsity')}; fewest {int(found.min())}",
      "all of them, for every λ and seed: a pair as one latent costs less",
      verdict(bool((found == size**2).all()), decided),
    ),
    Claim(
      "where features always come in pairs, no feature has a latent of its own",
      f"of {2 * size} features, by λ: {_by(features, 'sparsity')}; most {int(features.max())}",
      "none, for every λ and seed",
      verdict(bool((features == 0).all()), decided),
    ),
    _reached(part, "where features always come in pairs", decided),
  ]


def _sometimes(part: "xr.Dataset", size: int, decided: bool) -> list[Claim]:
  """Features occur alone as well."""
  found, features = part["pairs_found"], part["features_found"]
  return [
    Claim(
      "where features also occur alone, every feature has a latent of its own",
      f"of {2 * size} features, by density: {_by(features, 'density')}; fewest "
      f"{int(features.min())}",
      "all of them, for every density, λ and seed",
      verdict(bool((features == 2 * size).all()), decided),
    ),
    Claim(
      "where features also occur alone, every pair has a latent beside those of its features",
      f"of {size**2} pairs, by density: {_by(found, 'density')}; fewest {int(found.min())}",
      "all of them, for every density, λ and seed: it is cheaper, and latents are enough",
      verdict(bool((found == size**2).all()), decided),
    ),
    _reached(part, "where features also occur alone", decided),
  ]


def _reached(part: "xr.Dataset", where: str, decided: bool) -> Claim:
  """Whether training reaches the least cost."""
  saved = part["objective_features"] - part["objective_bound"]
  excess = (part["objective"] - part["objective_bound"]) / saved
  return Claim(
    f"{where}, training reaches the least cost that an L1 autoencoder can have",
    f"above it by {float(excess.mean()):.3f} of what latents for pairs save, at most "
    f"{float(excess.max()):.3f}; by density: {_by(excess, 'density')}",
    f"at most {REACHED:g} of it, for every λ and seed; never below",
    verdict(bool((excess <= REACHED).all()), decided),
  )


def _by(values: "xr.DataArray", axis: str) -> str:
  """Returns the means over all else, by the points of an axis."""
  means = values.mean([dim for dim in values.dims if dim != axis])
  pairs = zip(values[axis].values, means.values, strict=True)
  return ", ".join(f"{x:.3g}: {y:.3g}" for x, y in pairs)
