"""The paper's statements on adversarial training, decided by trained models."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.experiment import REPORTED, Claim, verdict

if TYPE_CHECKING:
  import xarray as xr

# Sizes of attacks are shares of the root mean square norm of inputs.
REMOVED_AT = 0.8  # the paper's attack
STILL_AT = 0.4  # half of it
LEFT = 0.05  # share of the features in superposition that counts as none
MIN_POINTS = 6  # attacks that can show a trend


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the paper's remark."""
  decided = dataset.sizes["attack"] >= MIN_POINTS and bool(dataset["finite"].all())
  return [
    _fall_claim(dataset, decided),
    _removal_claim(dataset, decided),
    _smallest_attack(dataset),
    _price(dataset),
  ]


def _fall_claim(dataset: "xr.Dataset", decided: bool) -> Claim:
  mean = dataset["features_per_dimension"].mean("restart").transpose("density", "attack").values
  ends = "; ".join(f"{row[0]:.3g} → {row[-1]:.3g}" for row in mean)
  steps = np.diff(mean, axis=1)
  return Claim(
    f"features per dimension fall with the size of training's attacks ({_densities(dataset)})",
    f"{ends}; {int((steps < 0).sum())} of {steps.size} steps",
    "monotonically falling",
    verdict(bool(np.all(steps < 0)), decided),
  )


def _densities(dataset: "xr.Dataset") -> str:
  return f"p = {', '.join(f'{p:g}' for p in dataset['density'].values)}"


def _removal_claim(dataset: "xr.Dataset", decided: bool) -> Claim:
  """Hardly any feature is in superposition at the paper's attack, and many are at half of it."""
  size = dataset["attack"].values
  number = dataset["n_shared"].mean("restart").transpose("attack", "density").values
  share = number / np.maximum(number[int(np.argmin(size))], 1)
  k, half = int(np.abs(size - REMOVED_AT).argmin()), int(np.abs(size - STILL_AT).argmin())
  there = abs(size[k] - REMOVED_AT) < 0.01 and abs(size[half] - STILL_AT) < 0.01
  listed = [", ".join(f"{number:.0%}" for number in row) for row in (share[half], share[k])]
  return Claim(
    f"features in superposition after training with attacks of {size[half]:g} and {size[k]:g} of "
    f"the input's norm, as a share of those without attacks ({_densities(dataset)})",
    "; ".join(listed),
    f"> {LEFT:.0%}; ≤ {LEFT:.0%} (paper: gone at 80%)",
    verdict(bool(np.all(share[k] <= LEFT) and np.all(share[half] > LEFT)), decided and there),
  )


def _smallest_attack(dataset: "xr.Dataset") -> Claim:
  size = dataset["attack"].values
  none = (dataset["n_shared"] == 0).all("restart").transpose("density", "attack").values
  # From there on, and not only there.
  removed_by = [size[row[::-1].cumprod()[::-1].astype(bool)] for row in none]
  return Claim(
    "smallest attack in training from which on no feature of any restart is in superposition "
    f"({_densities(dataset)})",
    ", ".join(f"{sizes[0]:g}" if len(sizes) else "none" for sizes in removed_by),
    "paper: 0.8",
    REPORTED,
  )


def _price(dataset: "xr.Dataset") -> Claim:
  size = dataset["attack"].values
  mean = dataset["loss"].mean("restart").transpose("density", "attack").values
  k = int(np.abs(size - REMOVED_AT).argmin())
  return Claim(
    f"price of adversarial training: loss on clean inputs after attacks of {size[k]:g}, as a "
    f"multiple of the loss after training without attacks ({_densities(dataset)})",
    ", ".join(f"{row[k] / row[0]:.2f}" for row in mean),
    "> 1",
    REPORTED,
  )
