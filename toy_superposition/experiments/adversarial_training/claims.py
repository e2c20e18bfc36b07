"""Training against attacks: how large do they have to be until nothing is in superposition?

Paper, section "Relationship to Adversarial Robustness": a remark without a figure, that adversarial
training lowers superposition, and that only attacks of 80% of the input's norm remove it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.sharding import Mesh

from toy_superposition.errors import UserError
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

DIMS = ("attack", "density", "restart")
REPRESENTED = 0.25  # least norm: attacks make weights small
SHARED = 0.1  # least Σ_{j≠i} (Ŵ_i · W_j)² of a feature in superposition
REMOVED_AT = 0.8  # the paper's attack, as a share of the input's norm
STILL_AT = 0.4  # half of it
LEFT = 0.05  # share of the features in superposition that counts as none
LEAST_POINTS = 6  # attacks that can show a trend


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where features differ from each other, or no model is trained as usual."""
  del axes
  wanted = {
    "model.name": "relu_output",
    "data.distribution": "sparse_uniform",
    "density.profile": "uniform",
    "importance.profile": "uniform",
  }
  require(values, "adversarial_training", wanted)
  needed = {"attack": "loss.attack", "density": "density.base", "restart": ""}
  require_axes(values, "adversarial_training", needed, ())
  if min(group.spec.attack for group in groups) > 0:
    raise UserError(
      "config.axis.attack: numbers > 0 alone are not allowed with analysis 'adversarial_training', "
      "which compares with none; allowed: 0 and larger numbers"
    )


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with features per dimension, and how many share dimensions."""
  del mesh, memory_budget
  dataset = dataset.transpose(*DIMS, ...).sortby("attack").sortby("density", ascending=False)
  shared = (dataset["feature_norm"] >= REPRESENTED) & (dataset["superposition"] >= SHARED)
  norm2 = (dataset["feature_norm"] ** 2).sum("feature")
  return dataset.assign(
    features_per_dimension=norm2 / dataset.sizes["hidden"], n_shared=shared.sum("feature")
  )


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the trained models say about the paper's remark."""
  decided = dataset.sizes["attack"] >= LEAST_POINTS and bool(dataset["finite"].all())
  return [
    _fall(dataset, decided),
    _removal(dataset, decided),
    _least(dataset),
    _price(dataset),
  ]


def _fall(dataset: "xr.Dataset", decided: bool) -> Claim:
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


def _removal(dataset: "xr.Dataset", decided: bool) -> Claim:
  """Nothing to speak of is in superposition at the paper's attack, and much at half of it."""
  size = dataset["attack"].values
  number = dataset["n_shared"].mean("restart").transpose("attack", "density").values
  share = number / np.maximum(number[int(np.argmin(size))], 1)
  k, half = int(np.abs(size - REMOVED_AT).argmin()), int(np.abs(size - STILL_AT).argmin())
  there = abs(size[k] - REMOVED_AT) < 0.01 and abs(size[half] - STILL_AT) < 0.01
  listed = [", ".join(f"{one:.0%}" for one in row) for row in (share[half], share[k])]
  return Claim(
    f"features in superposition, of those without attacks, at attacks of {size[half]:g} and "
    f"{size[k]:g} of the input's norm ({_densities(dataset)})",
    "; ".join(listed),
    f"> {LEFT:.0%}; ≤ {LEFT:.0%} (paper: gone at 80%)",
    verdict(bool(np.all(share[k] <= LEFT) and np.all(share[half] > LEFT)), decided and there),
  )


def _least(dataset: "xr.Dataset") -> Claim:
  size = dataset["attack"].values
  none = (dataset["n_shared"] == 0).all("restart").transpose("density", "attack").values
  # From there on, and not only there.
  least = [size[row[::-1].cumprod()[::-1].astype(bool)] for row in none]
  return Claim(
    f"least attack from which no feature of any restart is in superposition "
    f"({_densities(dataset)})",
    ", ".join(f"{found[0]:g}" if len(found) else "none" for found in least),
    "paper: 0.8",
    REPORTED,
  )


def _price(dataset: "xr.Dataset") -> Claim:
  size = dataset["attack"].values
  mean = dataset["loss"].mean("restart").transpose("density", "attack").values
  k = int(np.abs(size - REMOVED_AT).argmin())
  return Claim(
    f"the price: loss on clean inputs after attacks of {size[k]:g}, as a multiple of that without "
    f"({_densities(dataset)})",
    ", ".join(f"{row[k] / row[0]:.2f}" for row in mean),
    "> 1",
    REPORTED,
  )


ANALYSIS = Analysis(
  "Relationship to Adversarial Robustness", ("feature_norm", "superposition"), check, claims, run
)
