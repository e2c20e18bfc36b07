"""The paper's statements about the neurons at seven densities, and the best restarts' neurons."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from toy_superposition.experiments import restarts
from toy_superposition.experiments.experiment import Claim, verdict
from toy_superposition.geometry import definitions, neurons

if TYPE_CHECKING:
  import xarray as xr

NEAR = 0.02  # |log10| of the ratio of two densities below which they count as equal
# Relative difference of two losses, at most, that is a tie: two standard errors of the difference
# on analysis.SAMPLES examples, which were .16 to .4 % among the best eight restarts at p = .15.
TIE = 0.005
# Restarts that find the optimum at the higher densities, and at the lower ones.
ENOUGH, MANY = 20, 100
BINARY_CODE, PAIR_CODE = 0.35, 0.03  # densities at which the paper describes a code


class Regime(NamedTuple):
  """The paper's statement about one density."""

  density: float
  monosemantic: tuple[int, ...]  # numbers of monosemantic neurons that agree with it
  expected: str
  represented: tuple[int, ...]  # numbers of represented features that agree with it; () if unknown
  restarts: int  # minimum number that decides a claim


REGIMES = (
  Regime(0.75, (5,), "5", (5,), ENOUGH),
  Regime(0.35, (3,), "3", (6,), ENOUGH),
  Regime(0.15, (0, 1, 2), "≤ 2 (paper: 2)", (6, 7, 8), MANY),
  Regime(0.12, (1,), "1", (), MANY),
  Regime(0.08, (0,), "0", (8,), MANY),
  Regime(0.05, (0,), "0", (8,), MANY),
  Regime(0.03, (0,), "0", (10,), MANY),
)
Cell = tuple[Regime, "xr.Dataset"]  # a regime, and the results at its density


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the paper's statements about the densities in the sweep."""
  cells = [(regime, _at(dataset, regime.density)) for regime in REGIMES]
  present = [(regime, cell) for regime, cell in cells if cell is not None]
  rows = [_monosemantic_claim(regime, cell) for regime, cell in present]
  rows.append(_represented_claim(present))
  for regime, cell in present:
    if regime.density == BINARY_CODE:
      rows.append(_binary_code_claim(regime, cell))
    if regime.density == PAIR_CODE:
      rows.append(_pair_code_claim(regime, cell))
  return rows


def _at(dataset: "xr.Dataset", density: float) -> "xr.Dataset | None":
  """Returns the results at a density, None if the sweep has none near it."""
  cell = dataset.sel(density=density, method="nearest")
  return cell if abs(np.log10(float(cell["density"]) / density)) < NEAR else None


def _weights(cell: "xr.Dataset") -> np.ndarray:
  """Returns W of every restart, (restart, hidden, feature)."""
  W = cell["W"].transpose(..., "hidden", "feature").values
  return W.reshape(-1, *W.shape[-2:])


def _monosemantic_claim(regime: Regime, cell: "xr.Dataset") -> Claim:
  """Counts the best restart's neurons, and reports how near the best restart of another count is.

  A tie between a restart that agrees with the paper and one that does not decides nothing.
  """
  losses = np.atleast_1d(restarts.ranked_loss(cell).values)
  counts = np.array([neurons.monosemantic(W, nonnegative=True) for W in _weights(cell)])
  best = counts[losses.argmin()]
  agrees = best in regime.monosemantic
  rival = losses[np.isin(counts, regime.monosemantic) != agrees].min(initial=np.inf)
  shares = np.bincount(counts) / len(counts)
  spread = ", ".join(f"{number} ({share:.0%})" for number, share in enumerate(shares) if share)
  others = losses[counts != best]
  runner_up = "no other number among the best"
  if np.isfinite(others).any():
    second = counts[counts != best][others.argmin()]
    runner_up = f"{second} at {others.min() / losses.min() - 1:.2%} more loss"
  return Claim(
    f"monosemantic neurons of {cell.sizes['hidden']} in the best restart (p = {regime.density})",
    f"{best} in the best of {len(losses)} restarts, {runner_up}; all restarts: {spread}",
    regime.expected,
    verdict(agrees, decided=len(losses) >= regime.restarts and rival / losses.min() - 1 > TIE),
  )


def _represented_claim(cells: Sequence[Cell]) -> Claim:
  """Counts the features that the best restarts represent, at densities with a known number."""
  known = [(regime, cell) for regime, cell in cells if regime.represented]
  counts = [
    int(definitions.is_represented(restarts.best(cell)["W"].values).sum()) for _, cell in known
  ]
  listed = ", ".join(str(regime.density) for regime, _ in known)
  expected = ", ".join(
    f"{min(r.represented)}–{max(r.represented)}"
    if len(r.represented) > 1
    else f"{r.represented[0]}"
    for r, _ in known
  )
  return Claim(
    f"features represented in the best restart, ‖W_i‖² > {definitions.REPRESENTED} "
    f"(p = {listed or '–'})",
    ", ".join(str(count) for count in counts),
    expected,
    verdict(
      all(count in regime.represented for count, (regime, _) in zip(counts, known, strict=True)),
      decided=bool(known) and all(cell.sizes.get("restart", 1) >= MANY for _, cell in known),
    ),
  )


def _binary_code_claim(regime: Regime, cell: "xr.Dataset") -> Claim:
  n_restarts = cell.sizes.get("restart", 1)
  holds = neurons.has_binary_code(restarts.best(cell)["W"].values)
  count = sum(neurons.has_binary_code(W) for W in _weights(cell))
  return Claim(
    "two neurons of the best restart store three features as (+,+), (+,−) and (−,+) "
    f"(p = {regime.density})",
    f"{'yes' if holds else 'no'}; in {count} of {n_restarts} restarts",
    "yes",
    verdict(holds, decided=n_restarts >= regime.restarts),
  )


def _pair_code_claim(regime: Regime, cell: "xr.Dataset") -> Claim:
  n_features = cell.sizes["feature"]
  count = neurons.pair_code(restarts.best(cell)["W"].values)
  counts = [neurons.pair_code(W) for W in _weights(cell)]
  return Claim(
    "features of the best restart with a pair of neurons that no other feature has "
    f"(p = {regime.density})",
    f"{count} of {n_features}; all restarts {np.mean(counts):.1f} ± {np.std(counts):.1f}",
    f"{n_features} (paper: each feature is a pair of neurons, p ≤ .04)",
    verdict(count == n_features, decided=cell.sizes.get("restart", 1) >= regime.restarts),
  )
