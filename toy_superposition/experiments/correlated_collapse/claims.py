"""Three correlated pairs in a plane: how many of them are one direction, as in PCA.

Paper, section "Collapsing of Correlated Features".
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments import restarts
from toy_superposition.experiments.correlated_collapse import theory
from toy_superposition.experiments.experiment import (
  REPORTED,
  Analysis,
  Claim,
  require,
  require_axes,
  verdict,
)
from toy_superposition.geometry import sets
from toy_superposition.geometry.components import cosines
from toy_superposition.models import TiedParams
from toy_superposition.theory.sets_loss import expected_losses
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

N_PAIRS = 3
ENOUGH = 16  # restarts among which the best is looked for
FINE = 1.35  # largest ratio of neighbouring densities at which bands can be told apart
NONE_TO, ALL_AT = 0.03, 0.5  # densities without, and with three, collapsed pairs
NONE_VERIFIED, ALL_VERIFIED = 0.05, 0.4  # the same, independently verified optimum
NORM_TO, NORM_TOLERANCE = 0.4, 0.04
ROUND_OFF = 1e-6  # relative, of densities along an axis
EDGE = 0.01  # relative; the paper's bands share their ends, so these belong to the lower band


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the paper's statements are not about the experiment."""
  del axes, groups
  wanted = {
    "model.name": "relu_output",
    "model.n_features": 2 * N_PAIRS,
    "model.n_hidden": 2,
    "data.distribution": "correlated_sets",
    "data.set_size": 2,
    "data.target": "identity",
    "density.profile": "uniform",
    "importance.profile": "uniform",
    "importance.base": 1.0,
    "loss.reduction": "sum",
  }
  require(values, "correlated_collapse", wanted)
  require_axes(values, "correlated_collapse", {"density": "density.base"})


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with every model's number of collapsed pairs and expected loss, and PCA's
  loss. Sampled losses differ by more than two arrangements do where one gives way to the other."""
  del mesh, memory_budget
  dims = dataset["loss"].dims
  W = dataset["W"].transpose(*dims, "hidden", "feature").values
  flat = [sets.collapsed(one).sum() for one in W.reshape(-1, *W.shape[-2:])]
  number = np.array(flat, np.int8).reshape(W.shape[:-2])
  pca = theory.pca_loss(dataset["density"].values, N_PAIRS, dataset.sizes["hidden"])
  b = dataset["b"].transpose(*dims, "feature").values
  density = dataset["feature_density"].isel(feature=0).transpose(*dims).values
  losses = expected_losses(TiedParams(W=W, b=b), density, set_size=2)
  return dataset.assign(
    expected_loss=(dims, losses, {"long_name": "expected loss, without sampling inputs"}),
    collapsed_pairs=(dims, number, {"long_name": "pairs whose columns have a cosine > .97"}),
    pca_loss=("density", pca, {"long_name": "loss of the best linear model"}),
  )


def best_of(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset at the restart of least expected loss, at every density."""
  return restarts.best(dataset.sortby("density").assign(loss=dataset["expected_loss"]))


def transitions(best: "xr.Dataset") -> list[float]:
  """Returns the densities from which one, two and three pairs are collapsed, each in the middle
  (of the logarithm) between two densities; nan where there is no such change."""
  density, number = best["density"].values, best["collapsed_pairs"].values
  found = []
  for wanted in range(1, N_PAIRS + 1):
    k = int(np.argmax(number >= wanted))
    inside = number.max() >= wanted and k > 0
    found.append(float(np.sqrt(density[k - 1] * density[k])) if inside else float("nan"))
  return found


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the best models say about the paper's bands and the verified ones."""
  best = best_of(dataset)
  density, number = best["density"].values, best["collapsed_pairs"].values
  enough = dataset.sizes.get("restart", 1) >= ENOUGH
  ratio = float(np.max(density[1:] / density[:-1], initial=1))
  fine = enough and len(density) > 1 and ratio <= FINE
  low, high = density <= NONE_TO, np.abs(np.log(density / ALL_AT)) < np.log(FINE) / 4
  rows = [
    Claim(
      "collapsed pairs of the best model never become fewer with density",
      ", ".join(str(one) for one in number),
      "not decreasing",
      verdict(bool(np.all(np.diff(number) >= 0)), decided=fine),
    ),
    Claim(
      f"none is collapsed at p ≤ {NONE_TO}, all three are at p = {ALL_AT}",
      f"{_listed(number[low])}; {_listed(number[high])}",
      "0; 3",
      verdict(
        bool(np.all(number[low] == 0) and np.all(number[high] == N_PAIRS)),
        decided=fine and bool(low.any() and high.any()),
      ),
    ),
  ]
  return [*rows, *_band_claims(best, fine), *_norm_claims(best, fine), *_pca_claims(best)]


def _listed(numbers: np.ndarray) -> str:
  return ", ".join(str(one) for one in sorted(set(numbers.tolist()))) or "–"


def _band_claims(best: "xr.Dataset", fine: bool) -> list[Claim]:
  """The paper's bands, the verified ones, and where the transitions are."""
  density, number = best["density"].values, best["collapsed_pairs"].values
  bands = [(low, high, wanted, "the paper") for (low, high), wanted in theory.PAPER_BANDS.items()]
  bands += [(0, NONE_VERIFIED, 0, "independently verified")]
  bands += [(ALL_VERIFIED, 1, N_PAIRS, "independently verified")]
  rows = []
  for low, high, wanted, source in bands:
    first = low * (1 - ROUND_OFF) if wanted == N_PAIRS else low * (1 + EDGE)
    inside = (density >= first) & (density <= high * (1 + EDGE))
    rows.append(
      Claim(
        f"{low:g} ≤ p ≤ {high:g}: {wanted} collapsed ({source})",
        f"{_listed(number[inside])}; {(number[inside] == wanted).sum()} of {inside.sum()} p",
        f"{wanted}",
        verdict(bool(np.all(number[inside] == wanted)), decided=fine and bool(inside.any())),
      )
    )
  one, two, three = transitions(best)
  starts = sorted(low for low, _ in theory.PAPER_BANDS)[1:]
  rows += [
    Claim(
      "densities from which one, two and three pairs are collapsed",
      f"{one:.3f}, {two:.3f}, {three:.3f}",
      f"the paper: {', '.join(f'{p:g}' for p in starts)}",
      REPORTED,
    ),
    Claim(
      "two and three collapse at lower densities than in the paper (an earlier computation)",
      f"{two:.3f}, {three:.3f}",
      f"< {starts[1]:g}, < {starts[2]:g}",
      verdict(two < starts[1] and three < starts[2], decided=fine and bool(np.isfinite(three))),
    ),
  ]
  return rows


def _norm_claims(best: "xr.Dataset", fine: bool) -> list[Claim]:
  """A collapsed pair stores (a + b)/√2: both columns equal and of norm 1/√2."""
  norms: list[float] = []
  cosine: list[tuple[float, float]] = []  # and the density
  for k in np.flatnonzero(best["density"].values <= NORM_TO * (1 + ROUND_OFF)):
    W = best["W"].isel(density=k).values
    pair = np.flatnonzero(sets.collapsed(W))
    norms += [*np.linalg.norm(W, axis=0).reshape(-1, 2)[pair].ravel()]
    cosine += [(cosines(W)[2 * i, 2 * i + 1], float(best["density"][k])) for i in pair]
  found = np.array(norms)
  least, at = min(cosine, default=(float("nan"),) * 2)
  off = float(np.abs(found - theory.COLLAPSED_NORM).max(initial=0))
  return [
    Claim(
      f"columns of collapsed pairs at p ≤ {NORM_TO}: norm",
      f"{found.min(initial=9):.3f}–{found.max(initial=0):.3f}" if norms else "–",
      f"1/√2 = .707 ± {NORM_TOLERANCE}",
      verdict(off <= NORM_TOLERANCE, decided=fine and bool(norms)),
    ),
    Claim(
      "and their cosine",
      f"≥ {least:.4f} (p = {at:.2g}); median {np.median([c for c, _ in cosine] or [0]):.4f}",
      "> .99",
      verdict(least > 0.99, decided=fine and bool(cosine)),
    ),
  ]


def _pca_claims(best: "xr.Dataset") -> list[Claim]:
  """PCA collapses all pairs at every density; how much of its loss the ReLU model has."""
  share = (best["loss"] / best["pca_loss"]).values
  density = best["density"].values
  return [
    Claim(
      "loss of the best model as a share of PCA's, which collapses all pairs at every density",
      ", ".join(f"{s:.2f} at p = {p:.2g}" for p, s in list(zip(density, share, strict=True))[::-4]),
      "near 1 where PCA-like",
      REPORTED,
    )
  ]


ANALYSIS = Analysis("Collapsing of Correlated Features", (), check, claims, run)
