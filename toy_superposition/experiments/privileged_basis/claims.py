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


def _decided(regime: Regime, cell: "xr.Dataset", agrees: Sequence[bool]) -> bool:
  """Returns whether there are enough restarts, and the best is better than all that disagree."""
  holds = np.array(agrees)
  best = int(np.atleast_1d(restarts.ranked_loss(cell).values).argmin())
  return len(holds) >= regime.restarts and restarts.ahead(cell, holds != holds[best])


def _monosemantic_claim(regime: Regime, cell: "xr.Dataset") -> Claim:
  """Counts the best restart's neurons, and reports how near the best restart of another count is.

  A tie between a restart that agrees with the paper and one that does not decides nothing. The
  paper names no sign; how many of the neurons have a positive weight stands beside.
  """
  W = _weights(cell)
  counts = np.array([neurons.monosemantic(model) for model in W])
  k = int(np.atleast_1d(restarts.ranked_loss(cell).values).argmin())
  best, positive = int(counts[k]), neurons.monosemantic(W[k], nonnegative=True)
  shares = np.bincount(counts) / len(counts)
  spread = ", ".join(f"{number} ({share:.0%})" for number, share in enumerate(shares) if share)
  return Claim(
    f"monosemantic neurons of {cell.sizes['hidden']}, in which one feature has more than "
    f"{definitions.MONOSEMANTIC:.0%} of Σw², in the best restart (p = {regime.density})",
    f"{best} ({positive} with a positive weight) in the best of {len(counts)} restarts; "
    f"{_runner_up(cell, counts, best)}; all restarts: {spread}",
    regime.expected,
    verdict(
      best in regime.monosemantic,
      decided=_decided(regime, cell, [count in regime.monosemantic for count in counts]),
    ),
  )


def _runner_up(cell: "xr.Dataset", counts: np.ndarray, best: int) -> str:
  """Returns in words by how much the best restart with another count is worse."""
  if "shortlist_round" not in cell:
    return "not compared with other numbers"
  rival = restarts.nearest(cell, counts != best)
  if rival is None:
    return "no other number"
  loss = float(cell["judged_loss"])
  more, error = (
    float(cell[name][rival]) / loss for name in ("judged_difference", "difference_error")
  )
  return f"{counts[rival]} at {more:.2%} ± {error:.2%} more loss"


def _represented(cell: "xr.Dataset") -> list[int]:
  """Returns the number of features that each restart represents."""
  return [int(definitions.is_represented(W).sum()) for W in _weights(cell)]


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
      decided=bool(known)
      and all(
        cell.sizes.get("restart", 1) >= MANY
        and _decided(regime, cell, [number in regime.represented for number in _represented(cell)])
        for regime, cell in known
      ),
    ),
  )


def _binary_code_claim(regime: Regime, cell: "xr.Dataset") -> Claim:
  n_restarts = cell.sizes.get("restart", 1)
  holds = neurons.has_binary_code(restarts.best(cell)["W"].values)
  has = [neurons.has_binary_code(W) for W in _weights(cell)]
  return Claim(
    "two neurons of the best restart store three features as (+,+), (+,−) and (−,+) "
    f"(p = {regime.density})",
    f"{'yes' if holds else 'no'}; in {sum(has)} of {n_restarts} restarts",
    "yes",
    verdict(holds, decided=_decided(regime, cell, has)),
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
    verdict(
      count == n_features,
      decided=_decided(regime, cell, [number == n_features for number in counts]),
    ),
  )
