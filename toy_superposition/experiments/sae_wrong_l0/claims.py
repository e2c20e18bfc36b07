"""Whether the true number of active features is where an autoencoder detects them best."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.dictionaries import all_finite
from toy_superposition.experiments.experiment import REPORTED, Claim, verdict

if TYPE_CHECKING:
  import xarray as xr

MIN_SEEDS, MIN_POINTS = 10, 6


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on autoencoders of too few and of too many active latents."""
  dataset = dataset.sortby("k").transpose("k", "seed", ...)
  k, truth = dataset["k"].values, float(dataset["active"].mean())
  decided = dataset.sizes["seed"] >= MIN_SEEDS and len(k) >= MIN_POINTS and all_finite(dataset)
  f1, fvu, mcc = (dataset[name].values for name in ("f1", "fvu", "mcc"))
  nearest = int(np.abs(np.log(k / truth)).argmin())
  best = int(f1.mean(axis=1).argmax())
  half = int(np.abs(np.log(k / (truth / 2))).argmin())
  return [
    Claim(
      "BatchTopK autoencoders reconstruct the better the more latents may be on, also beyond the "
      "true number of active features",
      _listed(k, fvu),
      "fraction of variance unexplained falling with k in every seed",
      verdict(bool(np.all(np.diff(fvu, axis=0) < 0)), decided),
    ),
    Claim(
      "latents of BatchTopK autoencoders detect best with as many on as there are features",
      f"F1 by k: {_listed(k, f1)}; best at k = {k[best]:g}",
      f"k nearest to the true {truth:.2f} or its neighbour on the axis",
      verdict(abs(best - nearest) <= 1, decided),
    ),
    Claim(
      "BatchTopK autoencoders with half as many latents on as features find fewer of them",
      f"MCC {mcc[half].mean():.3f} at k = {k[half]:g}, {mcc[nearest].mean():.3f} at {k[nearest]:g}",
      "a lower MCC in every seed",
      verdict(bool(np.all(mcc[half] < mcc[nearest])), decided),
    ),
    Claim(
      "MCC of BatchTopK autoencoders by the number k of latents that are on",
      _listed(k, mcc),
      f"by chance {float(dataset['mcc_chance'].mean()):.3f}",
      REPORTED,
    ),
  ]


def _listed(k: np.ndarray, values: np.ndarray) -> str:
  return ", ".join(f"{x:g}: {y.mean():.3f}" for x, y in zip(k, values, strict=True))
