"""Two correlated sets of three in space: from principal components to an octahedron, in stages.

Paper, section "Learning Dynamics", learning as a geometric transformation.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jax.sharding import Mesh

from toy_superposition.errors import UserError
from toy_superposition.experiments import restarts
from toy_superposition.experiments.experiment import (
  REPORTED,
  Analysis,
  Claim,
  require,
  require_axes,
  verdict,
)
from toy_superposition.geometry import sets
from toy_superposition.models import TiedParams
from toy_superposition.theory.sets_loss import expected_losses
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

SET_SIZE, N_FEATURES, N_HIDDEN = 3, 6, 3
STATED = 0.05  # density, up to which the closed forms below hold
ENOUGH_STEPS = 6000  # at 1e-3: until the partners are opposite
PLATEAU_TOLERANCE, FINAL_TOLERANCE = 0.2, 0.15  # relative, of the losses
LASTS = 2.0  # least duration of the plateau, in units of when it begins
SINGULAR, SINGULAR_TOLERANCE = 2**0.5, 0.03
ORTHOGONAL, OPPOSITE, TOGETHER = 0.05, -0.95, 0.95


class Stages(NamedTuple):
  """Indices along the kept steps of one training."""

  onset: int  # of the plateau; −1 if there is none
  plateau: int  # its middle in the logarithm
  leaves: int  # its end
  splitting: int  # the third singular value has half its final size
  rearranging: int  # the loss is half way from there to its end, in the logarithm


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the paper's statements are not about the experiment."""
  del axes, groups
  name = "learning_dynamics_geometry"
  wanted = {
    "model.name": "relu_output",
    "model.n_features": N_FEATURES,
    "model.n_hidden": N_HIDDEN,
    "data.distribution": "correlated_sets",
    "data.set_size": SET_SIZE,
    "data.target": "identity",
    "density.profile": "uniform",
    "importance.profile": "uniform",
    "importance.base": 1.0,
  }
  require(values, name, wanted)
  require_axes(values, name, {})
  if values["history.num"] < 3:
    raise UserError(
      f"config.history.num: {values['history.num']} is not allowed with analysis {name!r}, which "
      "is about training; allowed: 3 or more"
    )


def plateau_loss(density: float) -> float:
  """Returns the mean loss per feature of a set stored as one direction, its members' mean.

  Of the variance of three values, each 1/12 where active, two thirds are lost: 3 · ⅔ · p/12 per
  set, p/18 per feature.
  """
  return density / 18


def octahedron_loss(density: float) -> float:
  """Returns the mean loss per feature of three digons across two sets: ⅓ p² per digon."""
  return density**2 / 6


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the expected loss of every kept step, per feature, and the singular
  values of W there."""
  del mesh, memory_budget
  history = dataset["history_W"].transpose(..., "step", "hidden", "feature")
  dims = history.dims[:-2]
  W, b = history.values, dataset["history_b"].transpose(*dims, "feature").values
  density = np.full(W.shape[:-2], dataset["feature_density"].values.flat[0])
  losses = expected_losses(TiedParams(W=W, b=b), density, SET_SIZE) / N_FEATURES
  return dataset.assign(
    history_expected_loss=(dims, losses, {"long_name": "expected loss, mean over features"}),
    history_singular_values=((*dims, "component"), np.linalg.svd(W, compute_uv=False)),
  )


def stages(model: "xr.Dataset") -> Stages:
  """Returns where the stages of one training are."""
  loss, third = (
    model["history_expected_loss"].values,
    model["history_singular_values"].isel(component=-1).values,
  )
  step, p = model["step"].values, float(model["feature_density"].values.flat[0])
  splitting = int(np.argmax(third > third[-1] / 2))
  half_way = np.sqrt(loss[splitting] * loss[-1])
  late = (splitting, splitting + int(np.argmax(loss[splitting:] <= half_way)))
  inside = np.abs(loss / plateau_loss(p) - 1) < PLATEAU_TOLERANCE
  if not inside.any():
    return Stages(-1, -1, -1, *late)
  onset = int(np.argmax(inside))
  leaves = onset + int(np.argmin([*inside[onset:], False])) - 1
  middle = np.sqrt(max(step[onset], 1) * max(step[leaves], 1))
  return Stages(onset, int(np.argmin(np.abs(step - middle))), leaves, *late)


def _one_by_one(dataset: "xr.Dataset") -> list["xr.Dataset"]:
  if "restart" not in dataset.dims:
    return [dataset]
  return [dataset.isel(restart=k) for k in range(dataset.sizes["restart"])]


def _range(values: Sequence[float], digits: int = 3) -> str:
  low, middle, high = np.min(values), np.median(values), np.max(values)
  return f"median {middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the trainings say about the plateau and about where they end."""
  models = _one_by_one(dataset)
  p, steps = float(dataset["feature_density"].values.flat[0]), int(dataset["step"][-1])
  decided = steps >= ENOUGH_STEPS and p <= STATED * 1.001
  return [*_plateau_claims(models, decided), *_final_claims(dataset, models, p, decided)]


def _plateau_claims(models: list["xr.Dataset"], decided: bool) -> list[Claim]:
  """The stage at which each set is one direction."""
  found = [(model, stages(model)) for model in models]
  on = [(model, at) for model, at in found if at.onset >= 0]
  begins = [float(model["step"][at.onset]) for model, at in on]
  ends = [float(model["step"][at.leaves]) for model, at in on]
  lasts = [(end - begin) / max(begin, 1) for begin, end in zip(begins, ends, strict=True)]
  middle = [model["history_W"].isel(step=at.plateau).values for model, at in on]
  # At the plateau's step where sets are most nearly one direction: they form at its beginning and
  # come apart towards its end.
  together = [
    max(
      float(sets.within(W, SET_SIZE).min())
      for W in model["history_W"].isel(step=slice(at.onset, at.leaves + 1)).values
    )
    for model, at in on
  ]
  norms = [float(np.linalg.norm(W, axis=0).mean()) for W in middle]
  singular = [model["history_singular_values"].values for model, _ in on]
  third = [float(v[at.plateau, -1] / v[-1, -1]) for v, (_, at) in zip(singular, on, strict=True)]
  some = bool(on)
  return [
    Claim(
      f"a plateau at loss p/18 ± {PLATEAU_TOLERANCE:.0%} per feature: its duration over its onset",
      f"{_range(lasts, 1) if some else '–'}; {len(on)} of {len(models)} have one, "
      f"{sum(one >= LASTS for one in lasts)} ≥ {LASTS:g}",
      f"median ≥ {LASTS:g}",
      verdict(bool(some and np.median(lasts) >= LASTS), decided=decided),
    ),
    Claim(
      "on it every set becomes one direction, as in PCA: least cosine within a set",
      _range(together) if some else "–",
      f"median > {TOGETHER}",
      verdict(bool(some and np.median(together) > TOGETHER), decided=decided and some),
    ),
    Claim(
      "and norms are 1/√3 = .577 in its middle",
      _range(norms) if some else "–",
      "median .577 ± .03",
      verdict(bool(some and abs(np.median(norms) - 3**-0.5) <= 0.03), decided=decided and some),
    ),
    Claim(
      "third singular value on the plateau, as a share of the final one",
      _range(third) if some else "–",
      "near 0",
      REPORTED,
    ),
  ]


def _final_claims(dataset, models, p: float, decided: bool) -> list[Claim]:
  """The octahedron: three digons, each of one member of either set."""
  final = [model["W"].values for model in models]
  singular = np.array([np.linalg.svd(W, compute_uv=False) for W in final])
  inside = [float(np.abs(sets.within(W, SET_SIZE)).max()) for W in final]
  opposite = [float(sets.across(W, SET_SIZE).min(axis=1).max()) for W in final]
  ratio = [float(m["history_expected_loss"][-1]) / octahedron_loss(p) for m in models]
  off = np.abs(singular - SINGULAR).max(axis=1)
  partners = [a < ORTHOGONAL and b < OPPOSITE for a, b in zip(inside, opposite, strict=True)]
  best = restarts.best(dataset)["W"].values
  best_off = np.abs(np.linalg.svd(best, compute_uv=False) - SINGULAR).max()
  best_inside = np.abs(sets.within(best, SET_SIZE)).max()
  best_opposite = sets.across(best, SET_SIZE).min(axis=1).max()
  n = len(models)
  return [
    Claim(
      "final singular values of W, all √2: largest distance",
      f"best {best_off:.3f}; {_range(off.tolist())}; {(off <= SINGULAR_TOLERANCE).sum()} of {n}",
      f"≤ {SINGULAR_TOLERANCE}",
      verdict(bool(best_off <= SINGULAR_TOLERANCE), decided=decided),
    ),
    Claim(
      "final members of a set are orthogonal: largest |cos|",
      f"best {best_inside:.3f}; {_range(inside)}",
      f"< {ORTHOGONAL}",
      verdict(bool(best_inside < ORTHOGONAL), decided=decided),
    ),
    Claim(
      "each is opposite to a member of the other set: largest least cos",
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
    Claim(
      "final loss, mean over features, as a multiple of p²/6",
      _range(ratio),
      f"median 1 ± {FINAL_TOLERANCE}",
      verdict(bool(abs(np.median(ratio) - 1) <= FINAL_TOLERANCE), decided=decided),
    ),
  ]


ANALYSIS = Analysis("Learning Dynamics", (), check, claims, run)
