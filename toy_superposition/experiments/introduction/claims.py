"""The introduction's figure: how many of five features two dimensions store, and as what.

Paper, introduction.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from toy_superposition.experiments import restarts
from toy_superposition.experiments.experiment import Analysis, Claim, require, require_axes, verdict
from toy_superposition.geometry.components import cosines
from toy_superposition.geometry.orientation import gaps
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

FOUR_AT = 0.2  # density
FIVE_AT = (0.05, 0.1)
NEAR = 0.1  # |log10| within which a density of the sweep stands for another


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the paper's statements are not about the experiment."""
  del axes, groups
  wanted = {"model.name": "relu_output", "model.n_features": 5, "model.n_hidden": 2}
  require(values, "introduction", wanted)
  require_axes(values, "introduction", {"density": "density.base"})


def two_orthogonal(W: np.ndarray) -> bool:
  """Returns whether exactly two features are represented, at right angles."""
  norm = np.sort(np.linalg.norm(W, axis=0))
  cosine = cosines(W[:, np.argsort(np.linalg.norm(W, axis=0))[-2:]])[0, 1]
  return bool(norm[2] < 0.05 and norm[3] >= 0.95 and norm[4] <= 1.05 and abs(cosine) < 0.05)


def two_pairs(W: np.ndarray) -> bool:
  """Returns whether four features are represented, as two antipodal pairs."""
  norm = np.linalg.norm(W, axis=0)
  four = np.argsort(norm)[-4:]
  opposite = cosines(W[:, four])[np.triu_indices(4, 1)] < -0.97
  inside = np.all((norm[four] >= 0.9) & (norm[four] <= 1.1))
  return bool(inside and norm.min() < 0.1 and opposite.sum() == 2)


def pentagon(W: np.ndarray) -> bool:
  """Returns whether all five features are represented, as a regular pentagon."""
  return bool(np.all(np.linalg.norm(W, axis=0) > 0.9) and np.all(np.abs(gaps(W) - 72) <= 12))


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the trained models say about the introduction's three pictures."""
  density = dataset["density"].values
  five = density[(density >= FIVE_AT[0] * 0.999) & (density <= FIVE_AT[1])]
  return [
    _claim(
      dataset,
      "dense: the two most important features at right angles, the others absent",
      two_orthogonal,
      "two norms .95–1.05, others < .05, |cos| < .05",
      np.array([1.0]),
    ),
    _claim(
      dataset,
      "sparser: four features as two antipodal pairs, the least important one absent",
      two_pairs,
      "four norms .9–1.1, one < .1, two cosines < −.97",
      np.array([FOUR_AT]),
    ),
    _claim(
      dataset,
      "sparse: all five features as a regular pentagon",
      pentagon,
      "five norms > .9, neighbours at 72° ± 12°",
      five,
    ),
  ]


def _claim(dataset, statement, holds, expected, densities) -> Claim:
  """Returns the verdict on the best restart at every one of the densities."""
  at = (
    dataset.sel(density=densities, method="nearest") if len(densities) else dataset.isel(density=[])
  )
  near = (
    np.abs(np.log10(at["density"].values / densities)) < NEAR if len(densities) else np.array([])
  )
  found, counts = [], []
  for p in range(len(densities)):
    cell = at.isel(density=p)
    best = restarts.best(cell)
    found.append(holds(best["W"].values))
    same = [holds(W) for W in cell["W"].values.reshape(-1, *best["W"].shape)]
    counts.append(f"{sum(same)}/{len(same)}")
  listed = ", ".join(f"{p:.2g}" for p in at["density"].values)
  yes = f"{sum(found)} of {len(found)} best restarts; all: {', '.join(counts)}" if counts else "–"
  return Claim(
    f"{statement} (p = {listed})",
    yes,
    expected,
    verdict(all(found), decided=bool(len(found)) and bool(near.all())),
  )


ANALYSIS = Analysis("Introduction", (), check, claims)
