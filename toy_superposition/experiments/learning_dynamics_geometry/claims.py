"""What the paper says about learning as a geometric transformation, and what trainings show."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments import restarts
from toy_superposition.experiments.experiment import Claim, verdict
from toy_superposition.experiments.learning_dynamics_geometry.analysis import (
  PLATEAU_TOLERANCE,
  density_of,
  half_way,
  stages,
)
from toy_superposition.experiments.learning_dynamics_geometry.theory import (
  SET_SIZE,
  SINGULAR,
  STATED,
  octahedron_loss,
)
from toy_superposition.geometry import sets
from toy_superposition.geometry.components import singular_values

if TYPE_CHECKING:
  import xarray as xr

ENOUGH_STEPS = 6000  # at learning rate 1e-3, until partners are opposite
# Third singular value over its final one: cosines c of three features of equal norm leave
# √(4 (1 − c) / 3) / √2 of the others, .18 at c = TOGETHER.
THIRD = 0.2
LASTS = 2.0  # minimum duration of the plateau, as a multiple of its onset
NORM_TOLERANCE, FINAL_TOLERANCE = 0.03, 0.15  # of a norm; relative, of the final loss
SINGULAR_TOLERANCE = 0.03
IN_ORDER = 0.9  # share of trainings: the paper says that single trajectories vary
ORTHOGONAL, OPPOSITE, TOGETHER = 0.05, -0.95, 0.95  # |cos| below, cos below, cos above


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the plateau and on where trainings end."""
  models = _trainings(dataset)
  p, steps = density_of(dataset), int(dataset["step"][-1])
  decided = steps >= ENOUGH_STEPS and p <= STATED * 1.001
  return [
    *_plateau_claims(models, decided),
    _order_claim(models, decided),
    *_octahedron_claims(dataset, models, decided),
    _final_loss_claim(models, p, decided),
  ]


def _trainings(dataset: "xr.Dataset") -> list["xr.Dataset"]:
  if "restart" not in dataset.dims:
    return [dataset]
  return [dataset.isel(restart=k) for k in range(dataset.sizes["restart"])]


def _range(values: Sequence[float], digits: int = 3) -> str:
  low, middle, high = np.min(values), np.median(values), np.max(values)
  return f"median {middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _plateau_claims(models: list["xr.Dataset"], decided: bool) -> list[Claim]:
  """The stage at which each set is one direction."""
  located = [(model, stages(model)) for model in models]
  on = [(model, at) for model, at in located if at.onset >= 0]
  begins = [float(model["step"][at.onset]) for model, at in on]
  ends = [float(model["step"][at.leaves]) for model, at in on]
  lasts = [(end - begin) / max(begin, 1) for begin, end in zip(begins, ends, strict=True)]
  middle = [model["history_W"].isel(step=at.plateau).values for model, at in on]
  together = [float(sets.within(W, SET_SIZE).min()) for W in middle]
  norms = [float(np.linalg.norm(W, axis=0).mean()) for W in middle]
  singular = [model["history_singular_values"].values for model, _ in on]
  third = [float(v[at.plateau, -1] / v[-1, -1]) for v, (_, at) in zip(singular, on, strict=True)]
  some = bool(on)
  return [
    Claim(
      f"training has a plateau at a loss of p/18 ± {PLATEAU_TOLERANCE:.0%} per feature: its "
      "duration as a multiple of its onset",
      f"{_range(lasts, 1) if some else '–'}; {len(on)} of {len(models)} trainings have one, "
      f"{sum(ratio >= LASTS for ratio in lasts)} of them ≥ {LASTS:g}",
      f"median ≥ {LASTS:g}",
      verdict(bool(some and np.median(lasts) >= LASTS), decided=decided),
    ),
    Claim(
      "in the middle of the plateau at loss p/18 every set is one direction, as in PCA: minimum "
      "cosine within a set",
      _range(together) if some else "–",
      f"median > {TOGETHER}",
      verdict(bool(some and np.median(together) > TOGETHER), decided=decided and some),
    ),
    Claim(
      "in the middle of the plateau at loss p/18 the norms of features are 1/√3 = .577",
      _range(norms) if some else "–",
      "median .577 ± .03",
      verdict(
        bool(some and abs(np.median(norms) - 3**-0.5) <= NORM_TOLERANCE), decided=decided and some
      ),
    ),
    Claim(
      "third singular value of W in the middle of the plateau at loss p/18, as a share of its "
      "final value",
      _range(third) if some else "–",
      f"median ≤ {THIRD:g}, near 0: what cosines of {TOGETHER:g} within sets leave",
      verdict(bool(some and np.median(third) <= THIRD), decided=decided and some),
    ),
  ]


def _order_claim(models: list["xr.Dataset"], decided: bool) -> Claim:
  """Which comes first: the third dimension, or most of the fall of the loss."""
  located = [(stages(model), half_way(model)) for model in models]
  on = [(at, half) for at, half in located if at.onset >= 0]
  in_order = sum(at.onset < at.splitting < half for at, half in on)
  share = sum(at.splitting < half for at, half in located) / len(models)
  return Claim(
    "stages come in the paper's order: the plateau begins, the third singular value passes half of "
    "its final value, and only then is the loss half way from p/18 to its end (in the logarithm)",
    f"{in_order} of {len(models)} trainings; {share:.0%} whether or not they have a plateau",
    f"≥ {IN_ORDER:.0%} of trainings",
    verdict(in_order >= IN_ORDER * len(models), decided=decided),
  )


def _octahedron_claims(
  dataset: "xr.Dataset", models: list["xr.Dataset"], decided: bool
) -> list[Claim]:
  """The octahedron: three digons, each of one member of either set."""
  final = [model["W"].values for model in models]
  singular = singular_values(np.array(final))
  inside = [float(np.abs(sets.within(W, SET_SIZE)).max()) for W in final]
  opposite = [float(sets.across(W, SET_SIZE).min(axis=1).max()) for W in final]
  off = np.abs(singular - SINGULAR).max(axis=1)
  partners = [a < ORTHOGONAL and b < OPPOSITE for a, b in zip(inside, opposite, strict=True)]
  best = restarts.best(dataset)["W"].values
  best_off = np.abs(singular_values(best) - SINGULAR).max()
  best_inside = np.abs(sets.within(best, SET_SIZE)).max()
  best_opposite = sets.across(best, SET_SIZE).min(axis=1).max()
  n = len(models)
  return [
    Claim(
      "all singular values of W end at √2: largest distance from it",
      f"best {best_off:.3f}; {_range(off.tolist())}; {(off <= SINGULAR_TOLERANCE).sum()} of {n}",
      f"≤ {SINGULAR_TOLERANCE}",
      verdict(bool(best_off <= SINGULAR_TOLERANCE), decided=decided),
    ),
    Claim(
      "members of the same set end orthogonal to each other: largest |cos| within a set",
      f"best {best_inside:.3f}; {_range(inside)}",
      f"< {ORTHOGONAL}",
      verdict(bool(best_inside < ORTHOGONAL), decided=decided),
    ),
    Claim(
      "every feature ends opposite to a member of the other set: cosine with that member, of the "
      "worst feature",
      f"best {best_opposite:.3f}; {_range(opposite)}",
      f"< {OPPOSITE}",
      verdict(bool(best_opposite < OPPOSITE), decided=decided),
    ),
    Claim(
      "the octahedron is a strong attractor: trainings that end in it",
      f"{sum(partners)} of {n}",
      "at least half",
      verdict(sum(partners) >= n / 2, decided=decided),
    ),
  ]


def _final_loss_claim(models: list["xr.Dataset"], p: float, decided: bool) -> Claim:
  ratio = [float(model["history_expected_loss"][-1]) / octahedron_loss(p) for model in models]
  return Claim(
    "final loss, mean over features, as a multiple of the octahedron's p²/6",
    _range(ratio),
    f"median 1 ± {FINAL_TOLERANCE}",
    verdict(bool(abs(np.median(ratio) - 1) <= FINAL_TOLERANCE), decided=decided),
  )
