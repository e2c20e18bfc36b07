"""Which features trained models store at right angles, as pairs and as a pentagon, by density.

Paper, introduction: its three pictures.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from toy_superposition.experiments import restarts
from toy_superposition.experiments.experiment import Claim, verdict
from toy_superposition.geometry.components import cosines
from toy_superposition.geometry.orientation import gaps

if TYPE_CHECKING:
  import xarray as xr

FOUR_AT = 0.2  # density at which four features are stored
FIVE_AT = (0.05, 0.1)  # lowest and highest density at which five features are stored
NEAR = 0.1  # |log10| of the ratio of two densities up to which one stands for the other

Directions = Float[np.ndarray, "hidden feature"]


def is_two_orthogonal(W: Directions) -> bool:
  """Returns whether exactly two features are stored, at right angles."""
  norm = np.sort(np.linalg.norm(W, axis=0))
  cosine = cosines(W[:, np.argsort(np.linalg.norm(W, axis=0))[-2:]])[0, 1]
  return bool(norm[2] < 0.05 and norm[3] >= 0.95 and norm[4] <= 1.05 and abs(cosine) < 0.05)


def is_two_pairs(W: Directions) -> bool:
  """Returns whether exactly four features are stored, as two antipodal pairs."""
  norm = np.linalg.norm(W, axis=0)
  four = np.argsort(norm)[-4:]
  opposite = cosines(W[:, four])[np.triu_indices(4, 1)] < -0.97
  inside = np.all((norm[four] >= 0.9) & (norm[four] <= 1.1))
  return bool(inside and norm.min() < 0.1 and opposite.sum() == 2)


def is_pentagon(W: Directions) -> bool:
  """Returns whether all five features are stored, as a regular pentagon."""
  return bool(np.all(np.linalg.norm(W, axis=0) > 0.9) and np.all(np.abs(gaps(W) - 72) <= 12))


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the introduction's three pictures."""
  density = dataset["density"].values
  five = density[(density >= FIVE_AT[0] * 0.999) & (density <= FIVE_AT[1])]
  return [
    _claim(
      dataset,
      "the two most important of five dense features are stored at right angles, and the other "
      "three are absent",
      is_two_orthogonal,
      "two norms .95–1.05, three < .05, |cos| < .05",
      np.array([1.0]),
    ),
    _claim(
      dataset,
      "four of five sparser features are stored as two antipodal pairs, and the least important "
      "feature is absent",
      is_two_pairs,
      "four norms .9–1.1, one < .1, two cosines < −.97",
      np.array([FOUR_AT]),
    ),
    _claim(
      dataset,
      "all five sparse features are stored as a regular pentagon",
      is_pentagon,
      "five norms > .9, neighbours at 72° ± 12°",
      five,
    ),
  ]


def _claim(
  dataset: "xr.Dataset",
  statement: str,
  holds: Callable[[Directions], bool],
  expected: str,
  densities: Float[np.ndarray, "point"],
) -> Claim:
  """Returns the verdict on the best restart at every one of the densities."""
  if len(densities):
    cells = dataset.sel(density=densities, method="nearest")
    near = np.abs(np.log10(cells["density"].values / densities)) < NEAR
  else:
    cells, near = dataset.isel(density=[]), np.array([])
  best_holds, counts = [], []
  for k in range(len(densities)):
    cell = cells.isel(density=k)
    best = restarts.best(cell)["W"].transpose("hidden", "feature").values
    best_holds.append(holds(best))
    every = cell["W"].transpose(..., "hidden", "feature").values.reshape(-1, *best.shape)
    counts.append(f"{sum(holds(W) for W in every)}/{len(every)}")
  listed = ", ".join(f"{p:.2g}" for p in cells["density"].values)
  measured = f"best restart: at {sum(best_holds)} of {len(best_holds)} densities; all restarts: "
  return Claim(
    f"{statement} (p = {listed or 'none of the sweep'})",
    f"{measured}{', '.join(counts)}" if counts else "–",
    expected,
    verdict(all(best_holds), decided=bool(len(best_holds)) and bool(near.all())),
  )
