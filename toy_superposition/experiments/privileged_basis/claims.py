"""A ReLU in the hidden layer: which features get a neuron to themselves, from dense to sparse.

Paper, section "Superposition in a Privileged Basis".
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments import restarts
from toy_superposition.experiments.experiment import Analysis, Claim, require, require_axes, verdict
from toy_superposition.geometry import neurons
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

NEAR = 0.02  # |log10| within which a density of the sweep stands for another
REPRESENTED = 0.5  # least norm of a feature that counts
# The best restarts lie within a percent of each other: of those of least loss, this many are judged
# again on more examples than all of them could be.
SHORTLIST, SAMPLES = 16, 204_800
# Two standard errors of the difference of two restarts' losses on SAMPLES examples, relative; it
# was .16 to .4 % among the best eight at p = .15.
TIE = 0.005
ENOUGH, MANY = 20, 100  # restarts that find the optimum when dense, and when sparse


class Regime(NamedTuple):
  """What the paper says of one density."""

  density: float
  monosemantic: tuple[int, ...]  # numbers of neurons that agree with it
  expected: str
  represented: tuple[int, ...]  # numbers of features
  restarts: int  # that decide it


REGIMES = (
  Regime(0.75, (5,), "5", (5,), ENOUGH),
  Regime(0.35, (3,), "3", (6,), ENOUGH),
  Regime(0.15, (0, 1, 2), "≤ 2 (paper: 2)", (6, 7, 8), MANY),
  Regime(0.12, (1,), "1", (), MANY),
  Regime(0.08, (0,), "0", (8,), MANY),
  Regime(0.05, (0,), "0", (8,), MANY),
  Regime(0.03, (0,), "0", (10,), MANY),
)


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the paper's statements are not about the experiment."""
  del axes, groups
  wanted = {
    "model.name": "relu_hidden",
    "model.n_features": 10,
    "model.n_hidden": 5,
    "importance.profile": "geometric",
    "importance.ratio": 0.75,
    "data.distribution": "sparse_uniform",
  }
  require(values, "privileged_basis", wanted)
  require_axes(values, "privileged_basis", {"density": "density.base"})


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the best restarts judged again."""
  del memory_budget
  if "restart" not in dataset.dims:
    return dataset
  count = max(1, min(SHORTLIST, dataset.sizes["restart"] // 8))
  return restarts.shortlisted(dataset, count, SAMPLES, mesh)


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the best restarts say about the paper's regimes."""
  cells = [(regime, _at(dataset, regime.density)) for regime in REGIMES]
  present = [(regime, cell) for regime, cell in cells if cell is not None]
  rows = [_monosemantic_claim(regime, cell) for regime, cell in present]
  rows.append(_represented_claim(present))
  for regime, cell in present:
    W = restarts.best(cell)["W"].values
    n_restarts = cell.sizes.get("restart", 1)
    decided = n_restarts >= regime.restarts
    if regime.density == 0.35:
      same = [neurons.has_binary_code(one) for one in _each(cell)]
      rows.append(
        Claim(
          f"two neurons store three features as (+,+), (+,−), (−,+) (p = {regime.density})",
          f"best restart: {'yes' if neurons.has_binary_code(W) else 'no'}; {sum(same)} of "
          f"{n_restarts} restarts",
          "yes",
          verdict(neurons.has_binary_code(W), decided),
        )
      )
    if regime.density == 0.03:
      found = neurons.pair_code(W)
      every = [neurons.pair_code(one) for one in _each(cell)]
      rows.append(
        Claim(
          f"features that have a pair of neurons of their own (p = {regime.density})",
          f"{found} of {W.shape[1]}; all restarts {np.mean(every):.1f} ± {np.std(every):.1f}",
          f"{W.shape[1]} (paper: each feature is a pair of neurons, p ≤ .04)",
          verdict(found == W.shape[1], decided),
        )
      )
  return rows


def _at(dataset: "xr.Dataset", density: float) -> "xr.Dataset | None":
  """Returns the cell at a density, None where the sweep has none near."""
  cell = dataset.sel(density=density, method="nearest")
  return cell if abs(np.log10(float(cell["density"]) / density)) < NEAR else None


def _each(cell: "xr.Dataset") -> np.ndarray:
  W = cell["W"].transpose(..., "hidden", "feature").values
  return W.reshape(-1, *W.shape[-2:])


def _monosemantic_claim(regime: Regime, cell: "xr.Dataset") -> Claim:
  """Counts the best restart's neurons, and says how far the best of another count is.

  A tie between a restart that agrees with the paper and one that does not decides nothing.
  """
  losses = np.atleast_1d(restarts.ranked_loss(cell).values)
  counts = np.array([neurons.monosemantic(W, nonnegative=True) for W in _each(cell)])
  best = counts[losses.argmin()]
  agrees = best in regime.monosemantic
  rival = losses[np.isin(counts, regime.monosemantic) != agrees].min(initial=np.inf)
  shares = np.bincount(counts) / len(counts)
  spread = ", ".join(f"{number}: {share:.0%}" for number, share in enumerate(shares) if share)
  others = losses[counts != best]
  runner_up = "no other among the best"
  if np.isfinite(others).any():
    second = counts[counts != best][others.argmin()]
    runner_up = f"{second} at +{others.min() / losses.min() - 1:.2%} loss"
  return Claim(
    f"neurons of {cell.sizes['hidden']} that stand for one feature (p = {regime.density})",
    f"{best} in the best of {len(losses)} restarts, {runner_up}; all: {spread}",
    regime.expected,
    verdict(agrees, decided=len(losses) >= regime.restarts and rival / losses.min() - 1 > TIE),
  )


def _represented_claim(cells: Sequence[tuple[Regime, "xr.Dataset"]]) -> Claim:
  """Counts the features of the best restart at every density of which a number is known."""
  known = [(regime, cell) for regime, cell in cells if regime.represented]
  found = [
    int((np.linalg.norm(restarts.best(cell)["W"].values, axis=0) > REPRESENTED).sum())
    for _, cell in known
  ]
  listed = ", ".join(str(regime.density) for regime, _ in known)
  expected = ", ".join(
    f"{min(r.represented)}–{max(r.represented)}"
    if len(r.represented) > 1
    else f"{r.represented[0]}"
    for r, _ in known
  )
  return Claim(
    f"features represented (norm > {REPRESENTED}) by the best restarts (p = {listed})",
    ", ".join(str(number) for number in found),
    expected,
    verdict(
      all(number in regime.represented for number, (regime, _) in zip(found, known, strict=True)),
      decided=bool(known) and all(cell.sizes.get("restart", 1) >= MANY for _, cell in known),
    ),
  )


ANALYSIS = Analysis("Superposition in a Privileged Basis", (), check, claims, run)
