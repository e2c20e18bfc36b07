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
  represented: int  # features
  shared: (
    tuple[int, int] | None
  )  # features, and the neurons that they share, beside monosemantic ones
  restarts: int  # minimum number that decides a claim


# `shared` stands where there are neurons of both kinds.
REGIMES = (
  Regime(0.75, (5,), "5", 5, None, ENOUGH),
  Regime(0.35, (3,), "3", 6, (3, 2), ENOUGH),
  Regime(0.15, (0, 1, 2), "≤ 2 (paper: 2)", 7, (5, 3), MANY),
  Regime(0.12, (1,), "1", 7, (6, 4), MANY),
  Regime(0.08, (0,), "0", 8, None, MANY),
  Regime(0.05, (0,), "0", 8, None, MANY),
  Regime(0.03, (0,), "0", 10, None, MANY),
)


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the paper's statements about the densities in the sweep."""
  cells = [(regime, _at(dataset, regime.density)) for regime in REGIMES]
  present = [(regime, cell) for regime, cell in cells if cell is not None]
  rows = [_monosemantic_claim(regime, cell) for regime, cell in present]
  rows += [_represented_claim(regime, cell) for regime, cell in present]
  for regime, cell in present:
    if regime.shared:
      rows.append(_shared_claim(regime, cell, regime.shared))
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


def _best(cell: "xr.Dataset") -> int:
  """Returns the number of the best restart."""
  return int(np.atleast_1d(restarts.ranked_loss(cell).values).argmin())


def _decided(regime: Regime, cell: "xr.Dataset", agrees: Sequence[bool]) -> bool:
  """Returns whether there are enough restarts, and the best is better than all that disagree."""
  holds = np.array(agrees)
  disagrees = holds != holds[_best(cell)]
  return len(holds) >= regime.restarts and restarts.ahead(cell, disagrees)


def _monosemantic_claim(regime: Regime, cell: "xr.Dataset") -> Claim:
  """Counts the best restart's neurons, and reports how near the best restart of another count is.

  A tie between a restart that agrees with the paper and one that does not decides nothing. The
  paper names no sign; how many of the neurons have a positive weight stands beside.
  """
  W = _weights(cell)
  counts = np.array([neurons.monosemantic(model) for model in W])
  k = _best(cell)
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


def _represented_claim(regime: Regime, cell: "xr.Dataset") -> Claim:
  """Counts the features that the best restart represents."""
  counts = np.array([int(definitions.is_represented(W).sum()) for W in _weights(cell)])
  best = int(counts[_best(cell)])
  shares = np.bincount(counts) / len(counts)
  spread = ", ".join(f"{number} ({share:.0%})" for number, share in enumerate(shares) if share)
  return Claim(
    f"features that the best restart represents, ‖W_i‖² > {definitions.REPRESENTED} "
    f"(p = {regime.density})",
    f"{best}; {_runner_up(cell, counts, best)}; all restarts: {spread}",
    f"{regime.represented}",
    verdict(
      best == regime.represented,
      decided=_decided(regime, cell, (counts == regime.represented).tolist()),
    ),
  )


def _shared_claim(regime: Regime, cell: "xr.Dataset", expected: tuple[int, int]) -> Claim:
  """Counts the features without a neuron to themselves, and the neurons that they share."""
  found = [neurons.shared(W) for W in _weights(cell)]
  best = found[_best(cell)]
  agrees = [count == expected for count in found]
  return Claim(
    "represented features of the best restart without a monosemantic neuron, and the neurons that "
    f"they share (p = {regime.density})",
    f"{best[0]} features in {best[1]} neurons; so in {sum(count == best for count in found)} of "
    f"{len(found)} restarts",
    f"{expected[0]} features in {expected[1]} neurons",
    verdict(best == expected, decided=_decided(regime, cell, agrees)),
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
