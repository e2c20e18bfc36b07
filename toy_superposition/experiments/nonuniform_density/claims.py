"""One of five features is denser or sparser: which arrangement is best, and where it changes.

Paper, section "The Geometry of Superposition", non-uniform superposition.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.sharding import Mesh

from toy_superposition import scalarize
from toy_superposition.devices import mapping
from toy_superposition.experiments import restarts
from toy_superposition.experiments.experiment import (
  REPORTED,
  Analysis,
  Claim,
  require,
  require_axes,
  verdict,
)
from toy_superposition.experiments.nonuniform_density import theory
from toy_superposition.geometry.components import cosines
from toy_superposition.geometry.orientation import angles, gaps
from toy_superposition.theory import expected_loss
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

AXIS = "relative_density"
ARRANGEMENTS = ("pentagon", "two digons", "other")  # by number in the results
PENTAGON, DIGONS, OTHER = range(3)
BASELINE = 0.05  # the density of the other features at which the numbers below hold
PENTAGON_FROM, DIGONS_TO = 0.32, 0.22  # ρ on either side of the change
CROSSING, PAPER, TOLERANCE = 0.27, 0.4, 0.03
BASELINES = np.geomspace(0.05, 0.14, 9)  # among which the crossing is at the paper's ρ
ENOUGH = 10  # least number of fits among which the best one is looked for
NEAR = 0.03  # |log10| within which a ρ of the sweep stands for another
FINE = 1.25  # largest ratio of neighbouring ρ between which a crossing is interpolated
KINK = 0.2  # least relative change of slope at the crossing


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the paper's statements are not about the experiment."""
  del axes, groups
  wanted = {
    "model.name": "relu_output",
    "model.n_features": 5,
    "model.n_hidden": 2,
    "data.distribution": "sparse_uniform",
    "data.target": "identity",
    "density.profile": "first_apart",
    "importance.profile": "uniform",
    "importance.base": 1.0,
    "loss.reduction": "sum",
  }
  require(values, "nonuniform_density", wanted)
  require_axes(values, "nonuniform_density", {AXIS: "density.ratio"})


def arrangement(W: np.ndarray) -> int:
  """Returns the number of the arrangement of five features in a plane."""
  norm = np.linalg.norm(W, axis=0)
  # Pentagons' smallest gap is 55° here; "two digons and a weak fifth" have norm .4 and gap 0.
  if norm.min() > 0.5 and gaps(W).min() > 40:
    return PENTAGON
  opposite = cosines(W[:, 1:])[np.triu_indices(4, 1)] < -0.98
  if norm[0] < 0.1 and norm[1:].min() > 0.9 and opposite.sum() == 2:
    return DIGONS
  return OTHER


def arrangements(W: np.ndarray) -> np.ndarray:
  """Returns `arrangement` of weights with leading axes."""
  flat = [arrangement(one) for one in W.reshape(-1, *W.shape[-2:])]
  return np.array(flat, np.int8).reshape(W.shape[:-2])


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with every fit's arrangement, the exact losses of both arrangements'
  branches (nan where one is not a minimum), and both along the baseline at the paper's ρ."""
  density = dataset["feature_density"]
  if "restart" in density.dims:
    density = density.isel(restart=0)
  base = float(density.values[0, 1])
  at_paper = np.repeat(BASELINES[:, None], 5, axis=1)
  at_paper[:, 0] *= PAPER
  params, losses = mapping.map_slices(
    lambda operand: theory.followed(operand[0]),
    (np.concatenate([density.values, at_paper]).astype(np.float32),),
    mesh=mesh,
    bytes_each=2 * expected_loss.working_bytes(5),
    budget=memory_budget,
    cpu_options=scalarize.CPU_OPTIONS,
  )
  found = arrangements(np.asarray(params.W))
  losses = np.where(found == np.array([PENTAGON, DIGONS]), losses, np.nan)
  n = len(density)
  names = dict(enumerate(ARRANGEMENTS))
  attributes = {"long_name": ", ".join(f"{k}: {name}" for k, name in names.items())}
  closed = theory.two_digons_loss(np.full(n, base), density.values[:, 0].astype(float))
  placed = dataset["W"].transpose(*dataset["loss"].dims, "hidden", "feature")
  return dataset.assign(
    arrangement=(dataset["loss"].dims, arrangements(placed.values), attributes),
    pentagon_loss=(AXIS, losses[:n, 0], {"long_name": "expected loss of the pentagon"}),
    digons_loss=(AXIS, losses[:n, 1], {"long_name": "expected loss of two digons"}),
    digons_closed_form=(AXIS, closed, {"long_name": "the same, of norm 1 and bias 0"}),
    pentagon_loss_at_paper=("baseline", losses[n:, 0]),
    digons_loss_at_paper=("baseline", losses[n:, 1]),
  ).assign_coords(baseline=("baseline", BASELINES))


def branch_crossing(dataset: "xr.Dataset") -> tuple[float, int]:
  """Returns ρ where the exact losses of both arrangements are equal, and the index before it."""
  difference = (dataset["pentagon_loss"] - dataset["digons_loss"]).values
  return theory.crossing(dataset[AXIS].values, difference)


def around(W: np.ndarray) -> tuple[float, float]:
  """Returns the angles between feature 0 and its two neighbours, smaller one first."""
  turn = (angles(W)[1:] - angles(W)[0]) % 360
  low, high = sorted((turn.min(), 360 - turn.max()))
  return float(low), float(high)


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what trained models and exact losses say about the paper's statements."""
  dataset = dataset.sortby(AXIS).transpose(AXIS, ...)
  best = restarts.best(dataset)
  base = float(dataset["feature_density"].isel({AXIS: 0, "feature": 1}).values.flat[0])
  stated = abs(base - BASELINE) < 1e-6
  kinds, enough = best["arrangement"].values, dataset.sizes.get("restart", 1) >= ENOUGH
  ratio = best[AXIS].values
  rows = []
  for name, kind, chosen in (
    (
      f"ρ ≥ {PENTAGON_FROM}: five represented features, a pentagon",
      PENTAGON,
      ratio >= PENTAGON_FROM,
    ),
    (f"ρ ≤ {DIGONS_TO}: feature 0 absent, two digons", DIGONS, ratio <= DIGONS_TO),
  ):
    held, every = kinds[chosen] == kind, (dataset["arrangement"].values[chosen] == kind).mean()
    rows.append(
      Claim(
        f"best fit at {name}",
        f"{held.sum()} of {held.size} ρ; {every:.0%} of all fits there",
        "all",
        verdict(held.all(), decided=stated and held.size > 0 and enough),
      )
    )
  rows += [*_crossing_claims(dataset, best, stated), *_pentagon_claims(dataset, best, stated)]
  closed = (dataset["digons_closed_form"] / dataset["digons_loss"] - 1).values
  worst = np.nanmax(np.abs(closed), initial=0)
  rows.append(
    Claim(
      "closed form of the digons' loss, 2p²/3 + ρp/3 − (ρp)²/4, against the exact minimum",
      f"{worst:.2%} apart at most, {np.isfinite(closed).sum()} ρ",
      "≤ 1%",
      verdict(worst <= 0.01, decided=bool(np.isfinite(closed).any())),
    )
  )
  return rows


def _crossing_claims(dataset: "xr.Dataset", best: "xr.Dataset", stated: bool) -> list[Claim]:
  """Where the two arrangements are equally good, and that the loss has a kink there."""
  at, k = branch_crossing(dataset)
  ratio, loss = dataset[AXIS].values, best["loss"].values
  fine = stated and k >= 0 and float(np.max(ratio[1:] / ratio[:-1])) <= FINE
  measured = f"ρ = {at:.3f}, {1 / at:.1f} times sparser"
  rows = [
    Claim(
      "exact losses of pentagon and two digons cross (independently verified)",
      measured,
      f"ρ = {CROSSING} ± {TOLERANCE}",
      verdict(abs(at - CROSSING) <= TOLERANCE, decided=fine),
    ),
    Claim(
      "the same crossing, as the paper's text has it",
      measured,
      f"2.5 times sparser: ρ = {PAPER} ± {TOLERANCE}",
      verdict(abs(at - PAPER) <= TOLERANCE, decided=fine),
    ),
  ]
  difference = (dataset["pentagon_loss_at_paper"] - dataset["digons_loss_at_paper"]).values
  baseline, _ = theory.crossing(dataset["baseline"].values, difference)
  rows.append(
    Claim(
      "density of the other features at which the crossing would be at the paper's ρ = .4",
      f"p = {baseline:.3f}",
      f"the paper states p = {BASELINE}",
      REPORTED,
    )
  )
  left = right = np.nan
  if 2 <= k < len(ratio) - 3:
    slope = np.diff(loss) / np.diff(ratio)
    left, right = slope[k - 1], slope[k + 1]
  rows.append(
    Claim(
      "first order: slope of the best fit's loss on either side of the crossing",
      f"{left:.4f} → {right:.4f} per unit of ρ",
      f"differ by > {KINK:.0%}",
      verdict(abs(right / left - 1) > KINK, decided=fine and bool(np.isfinite(right / left))),
    )
  )
  return rows


def _pentagon_claims(dataset: "xr.Dataset", best: "xr.Dataset", stated: bool) -> list[Claim]:
  """The pentagon where all densities are equal, and how it gives way when they are not."""

  def at(ratio: float) -> tuple["xr.Dataset", bool]:
    cell = best.sel({AXIS: ratio}, method="nearest")
    near = abs(np.log10(float(cell[AXIS]) / ratio)) <= NEAR
    return cell, bool(stated and near and int(cell["arrangement"]) == PENTAGON)

  cell, decided = at(1.0)
  W, b = cell["W"].values, cell["b"].values
  norm, between = np.linalg.norm(W, axis=0), gaps(W)
  fits = dataset["arrangement"].sel({AXIS: float(cell[AXIS])})
  regular = bool(np.all(np.abs(norm - 1.13) <= 0.02) and np.all(np.abs(between - 72) <= 2))
  rows = [
    Claim(
      "ρ = 1: a regular pentagon",
      f"norms {norm.min():.3f}–{norm.max():.3f}, gaps {between.min():.1f}–{between.max():.1f}°; "
      f"{restarts.count(fits == PENTAGON)}",
      "norms 1.13 ± .02, gaps 72 ± 2°",
      verdict(regular, decided=decided),
    )
  ]
  printed = np.abs(norm - 1 / (1 - b)).max()
  rows += [
    Claim(
      "norm of the pentagon's features as the paper prints it: ‖W_i‖ = 1/(1 − b_i)",
      f"‖W‖ = {norm.mean():.3f}, 1/(1 − b) = {(1 / (1 - b)).mean():.3f}",
      "equal, ± .02",
      verdict(printed <= 0.02, decided=decided),
    ),
    Claim(
      "the same, as independently verified: 1 − b < ‖W‖² < 1/(1 + b)",
      f"{(1 - b).mean():.3f} < {(norm**2).mean():.3f} < {(1 / (1 + b)).mean():.3f}",
      "in this order",
      verdict(bool(np.all((1 - b < norm**2) & (norm**2 < 1 / (1 + b)))), decided=decided),
    ),
  ]
  for ratio, what, sign in ((3.0, "denser: others move away", 1), (0.5, "sparser: move in", -1)):
    cell, decided = at(ratio)
    low, high = around(cell["W"].values)
    rows.append(
      Claim(
        f"feature 0 {what} from it (ρ = {float(cell[AXIS]):.2g}): gaps beside it",
        f"{low:.1f}°, {high:.1f}°",
        f"both {'>' if sign > 0 else '<'} 72°",
        verdict(min(sign * (low - 72), sign * (high - 72)) > 0, decided=decided),
      )
    )
  return rows


ANALYSIS = Analysis("The Geometry of Superposition", (), check, claims, run)
