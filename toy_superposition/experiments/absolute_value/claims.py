"""Computing |x|: two neurons per feature when dense, polysemantic neurons when sparse.

Paper, section "Computation in Superposition".
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments import restarts
from toy_superposition.experiments.experiment import (
  REPORTED,
  Analysis,
  Claim,
  require,
  require_axes,
  verdict,
)
from toy_superposition.experiments.rotation_invariance import claims as rotation_invariance
from toy_superposition.geometry import neurons
from toy_superposition.geometry.correlation import rank_correlation
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

MODEL = {
  "model.name": "absolute_value",
  "data.distribution": "sparse_signed_uniform",
  "data.target": "absolute",
}
# Density → monosemantic neurons of 40, measured on the paper's published figure.
PAPER = {1.0: 40, 0.3: 40, 0.1: 32, 0.03: 22, 0.01: 14, 0.003: 24, 0.001: 0}
DENSE, MOST = (1.0, 0.3), 38  # densities at which at least so many neurons are monosemantic
RARE = 0.001  # density at which none is
ORDER = (0.3, 0.01, 0.001)  # densities along which the number falls
MIXED = (0.03, 0.01)  # densities at which important features have the purer neurons
CORRELATION = 0.3
STEPS = 1000  # of training: after fewer, unimportant weights still are what they began as
SOLVED = 1e-5  # loss of three features in six neurons
PRODUCT = 0.03  # |W₁ W₂ − 1| of a feature's own neurons


def check_small(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the experiment is not three features in six neurons, dense."""
  del axes
  wanted = {**MODEL, "model.n_features": 3, "model.n_hidden": 6, "density.base": 1.0}
  require(values, "absolute_value_small", wanted)
  require_axes(values, "absolute_value_small", {})


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the paper's statements are not about the experiment."""
  del axes, groups
  sizes = {"model.n_features": 100, "model.n_hidden": 40}
  importance = {"importance.profile": "geometric", "importance.ratio": 0.8}
  require(values, "absolute_value", {**MODEL, **sizes, **importance})
  require_axes(values, "absolute_value", {"density": "density.base"})


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the loss after rotations of the hidden layer."""
  del memory_budget
  return rotation_invariance.with_rotations(dataset, mesh)


def owns_two(W1: np.ndarray, W2: np.ndarray) -> bool:
  """Returns whether each feature has two neurons of opposite sign that add up to |x|."""
  first = neurons.primary(W1)
  weight = W1[np.arange(len(W1)), first]
  gain = weight * W2[first, np.arange(len(W1))]
  pairs = all(sorted(np.sign(weight[first == i]).tolist()) == [-1, 1] for i in range(W1.shape[1]))
  alone = neurons.purity(W1) > neurons.MONOSEMANTIC
  return bool(pairs and alone.all() and np.all(np.abs(np.abs(gain) - 1) <= PRODUCT))


def claims_small(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the trained models say about three features in six neurons."""
  losses = np.atleast_1d(restarts.ranked_loss(dataset).values)
  W1 = dataset["W1"].values.reshape(len(losses), *dataset["W1"].shape[-2:])
  W2 = dataset["W2"].values.reshape(len(losses), *dataset["W2"].shape[-2:])
  owned = np.array([owns_two(a, b) for a, b in zip(W1, W2, strict=True)])
  best, solved = losses.argmin(), losses < SOLVED
  return [
    Claim(
      "|x| of three features is computed exactly: loss of the best restart",
      f"{losses.min():.1e}; {solved.sum()} of {len(losses)} restarts, the others "
      f"{losses[~solved].min(initial=np.inf):.3g} or more",
      f"< {SOLVED:.0e}",
      verdict(losses.min() < SOLVED),
    ),
    Claim(
      "each feature has two neurons of opposite sign, W₁ W₂ = 1",
      f"{'yes' if owned[best] else 'no'} in the best; {(owned & solved).sum()} of the "
      f"{solved.sum()} restarts that solve it",
      f"yes, |W₁ W₂ − 1| ≤ {PRODUCT}",
      verdict(owned[best], decided=bool(solved.any())),
    ),
    rotation_invariance.claim(restarts.best(dataset), "absolute value", matters=True),
  ]


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the trained models say about one hundred features in forty neurons."""
  best = restarts.best(dataset)
  density = best["density"].values
  counts = {float(p): neurons.monosemantic(best["W1"].sel(density=p).values) for p in density}
  learned = {float(p): _learns(best.sel(density=p)) for p in density}
  rows = [_dense_claim(p, counts, dataset) for p in DENSE]
  rows.append(
    Claim(
      f"no neuron stands for one feature (p = {RARE})",
      _listed(dataset, RARE, counts),
      "0",
      verdict(counts.get(RARE) == 0, decided=learned.get(RARE, False)),
    )
  )
  here = [counts.get(p, 0) for p in ORDER]
  known = all(learned.get(p, False) for p in ORDER)
  rows.append(
    Claim(
      f"fewer and fewer neurons stand for one feature (p = {', '.join(map(str, ORDER))})",
      ", ".join(map(str, here)) if known else "–",
      "falling",
      verdict(known and here[0] > here[1] > here[2], decided=known),
    )
  )
  rows += [_purity_claim(p, dataset) for p in MIXED]
  listed = [p for p in PAPER if p in counts]
  rows.append(
    Claim(
      f"neurons of 40 that stand for one feature (p = {', '.join(map(str, listed))})",
      ", ".join(str(counts[p]) for p in listed),
      f"{', '.join(str(PAPER[p]) for p in listed)} in the paper's figure, by eye",
      REPORTED,
    )
  )
  dense = float(density.max())
  name = f"absolute value, p = {dense:g}"
  return [*rows, rotation_invariance.claim(best.sel(density=dense), name, matters=True)]


def _learns(cell: "xr.Dataset") -> bool:
  """Returns whether a model was trained for long enough, and explains more than half of what it
  is asked for: the target |x| of a feature has the mean square p / 3."""
  steps = json.loads(cell.attrs["config"])["train.steps"]
  asked = (cell["feature_importance"] * cell["feature_density"] / 3).sum()
  return bool(steps >= STEPS and cell["feature_loss"].sum() < asked / 2)


def _each(dataset: "xr.Dataset", density: float) -> np.ndarray:
  W1 = dataset["W1"].sel(density=density).transpose(..., "hidden", "feature").values
  return W1.reshape(-1, *W1.shape[-2:])


def _listed(dataset: "xr.Dataset", density: float, counts: Mapping[float, int]) -> str:
  if density not in counts:
    return "–"
  every = sorted(neurons.monosemantic(W1) for W1 in _each(dataset, density))
  return f"{counts[density]}; all seeds {', '.join(map(str, every))}"


def _dense_claim(density: float, counts: Mapping[float, int], dataset: "xr.Dataset") -> Claim:
  known = density in counts and _learns(restarts.best(dataset).sel(density=density))
  return Claim(
    f"neurons of 40 that stand for one feature (p = {density:g})",
    _listed(dataset, density, counts),
    f"≥ {MOST}",
    verdict(counts.get(density, 0) >= MOST, decided=known),
  )


def _purity_claim(density: float, dataset: "xr.Dataset") -> Claim:
  """Important features have the purer neurons: rank correlation over the neurons."""
  statement = (
    "neurons of important features are purer: rank correlation of the primary feature's "
    f"importance and the share of its w² (p = {density:g})"
  )
  expected = f"> {CORRELATION}"
  if density not in dataset["density"].values:
    return Claim(statement, "–", expected, verdict(False, decided=False))
  best = restarts.best(dataset).sel(density=density)
  found = [_correlation(W1) for W1 in _each(dataset, density)]
  here = _correlation(best["W1"].values)
  return Claim(
    statement,
    f"{here:.2f}; all seeds {', '.join(f'{one:.2f}' for one in sorted(found))}",
    expected,
    verdict(here > CORRELATION, decided=_learns(best)),
  )


def _correlation(W1: np.ndarray) -> float:
  """Returns Spearman's rank correlation; importance falls with the feature's number."""
  return rank_correlation(-neurons.primary(W1), neurons.purity(W1))


SECTION = "Computation in Superposition"
ANALYSIS = Analysis(SECTION, ("superposition",), check, claims, run)
SMALL = Analysis(SECTION, ("superposition",), check_small, claims_small, run)
