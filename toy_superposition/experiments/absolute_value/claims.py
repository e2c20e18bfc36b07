"""Monosemantic neurons among forty that compute |x| of one hundred features, by density."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments import restarts, rotations
from toy_superposition.experiments.experiment import Claim, verdict
from toy_superposition.geometry import definitions, neurons
from toy_superposition.geometry.correlation import rank_correlation

if TYPE_CHECKING:
  import xarray as xr

# Density → monosemantic neurons of 40, read off the paper's published figure.
PAPER = {1.0: 40, 0.3: 40, 0.1: 32, 0.03: 22, 0.01: 14, 0.003: 24, 0.001: 0}
DENSE, MOST = (1.0, 0.3), 38  # densities at which at least this many neurons are monosemantic
RARE = 0.001  # density at which no neuron is
ORDER = (0.3, 0.01, 0.001)  # densities along which their number falls
MIXED = (0.03, 0.01)  # densities at which important features have the purer neurons
PAPER_TOLERANCE = 4  # a tenth of the neurons: what reading the figure by eye allows
# Minimum of Spearman's coefficient of our counts and the paper's: lower only if densities change
# places by more than the reading of the figure allows.
SAME_ORDER = 0.9
CORRELATION = 0.3  # Spearman's coefficient above which they have
STEPS = 1000  # minimum; after fewer, weights of unimportant features are still their initial ones


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the neurons of the best seed at every density."""
  best = restarts.best(dataset)
  density = best["density"].values
  counts = {float(p): neurons.monosemantic(best["W1"].sel(density=p).values) for p in density}
  learned = {float(p): _learned(best.sel(density=p)) for p in density}
  rows = [
    Claim(
      f"monosemantic neurons of 40 in the best seed (p = {p:g})",
      _counts(dataset, p, counts),
      f"≥ {MOST}",
      verdict(counts.get(p, 0) >= MOST, decided=learned.get(p, False)),
    )
    for p in DENSE
  ]
  rows.append(
    Claim(
      f"no neuron is monosemantic in the best seed (p = {RARE})",
      _counts(dataset, RARE, counts),
      "0",
      verdict(counts.get(RARE) == 0, decided=learned.get(RARE, False)),
    )
  )
  rows.append(_order_claim(counts, learned))
  rows += [_purity_claim(p, dataset) for p in MIXED]
  rows += _paper_claims(counts, learned)
  densest = float(density.max())
  models = f"model absolute_value, p = {densest:g}"
  return [*rows, rotations.claim(best.sel(density=densest), models, matters=True)]


def _learned(cell: "xr.Dataset") -> bool:
  """Returns whether a model was trained for long enough and has less than half of the loss of the
  output 0: I_i p / 3 for feature i, since the target |x| has the mean square p / 3."""
  steps = json.loads(cell.attrs["config"])["train.steps"]
  loss_of_zero = (cell["feature_importance"] * cell["feature_density"] / 3).sum()
  return bool(steps >= STEPS and cell["feature_loss"].sum() < loss_of_zero / 2)


def _weights(dataset: "xr.Dataset", density: float) -> np.ndarray:
  """Returns W₁ of every seed at a density, (seed, hidden, feature)."""
  W1 = dataset["W1"].sel(density=density).transpose(..., "hidden", "feature").values
  return W1.reshape(-1, *W1.shape[-2:])


def _counts(dataset: "xr.Dataset", density: float, counts: Mapping[float, int]) -> str:
  """Returns the best seed's and all seeds' numbers of monosemantic neurons, in words."""
  if density not in counts:
    return "–"
  of_seeds = sorted(neurons.monosemantic(W1) for W1 in _weights(dataset, density))
  return f"{counts[density]}; all seeds {', '.join(map(str, of_seeds))}"


def _order_claim(counts: Mapping[float, int], learned: Mapping[float, bool]) -> Claim:
  here = [counts.get(p, 0) for p in ORDER]
  known = all(learned.get(p, False) for p in ORDER)
  return Claim(
    f"the number of monosemantic neurons falls with density (p = {', '.join(map(str, ORDER))})",
    ", ".join(map(str, here)) if known else "–",
    "falling",
    verdict(known and here[0] > here[1] > here[2], decided=known),
  )


def _paper_claims(counts: Mapping[float, int], learned: Mapping[float, bool]) -> list[Claim]:
  """Our counts beside those of the paper's figure: one by one, and their order."""
  listed = [p for p in PAPER if p in counts]
  known = len(listed) == len(PAPER) and all(learned.get(p, False) for p in PAPER)
  ours, theirs = (np.array([number[p] for p in listed]) for number in (counts, PAPER))
  order = rank_correlation(ours, theirs) if known else float("nan")
  densities, published = (
    ", ".join(str(value) for value in values) for values in (listed, theirs.tolist())
  )
  return [
    Claim(
      f"monosemantic neurons of 40, by density (p = {densities})",
      ", ".join(str(count) for count in ours),
      f"{published} in the paper's figure, each ±{PAPER_TOLERANCE} (read by eye)",
      verdict(bool(np.all(np.abs(ours - theirs) <= PAPER_TOLERANCE)), decided=known),
    ),
    Claim(
      "the numbers of monosemantic neurons at seven densities are in the order of the paper's: "
      f"rank correlation (p = {densities})",
      f"{order:.2f} ({', '.join(str(count) for count in ours)})",
      f"≥ {SAME_ORDER} ({published})",
      verdict(order >= SAME_ORDER, decided=known and bool(np.isfinite(order))),
    ),
  ]


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
  of_seeds = sorted(_correlation(W1) for W1 in _weights(dataset, density))
  of_best = _correlation(best["W1"].values)
  return Claim(
    statement,
    f"{of_best:.2f}; all seeds {', '.join(f'{value:.2f}' for value in of_seeds)}",
    expected,
    verdict(of_best > CORRELATION, decided=_learned(best)),
  )


def _correlation(W1: np.ndarray) -> float:
  """Returns Spearman's rank correlation of importance, which falls with the feature's number, and
  purity; nan if either is the same for all neurons."""
  return rank_correlation(-neurons.primary(W1), definitions.purity(W1))
