"""The phase change: closed forms and true optimum beside the trained models.

Paper, section "Superposition as a Phase Change". All maps lie on the plane of relative importance
and density and tell the fate of the extra feature, the last one.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.sharding import Mesh

from toy_superposition import scalarize
from toy_superposition.devices import mapping
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
from toy_superposition.measures import measure
from toy_superposition.theory import optimum
from toy_superposition.theory import phase_change as theory
from toy_superposition.theory.phase_change import Phase
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

PLANE = ("relative_importance", "density")
EXTRA = {"feature": -1}
# Near r = 1 features may be exchanged: which one is dropped is a matter of chance.
NEAR_EQUAL = 0.05  # |log10 r|
AGREEMENT = {2: 0.99, 3: 0.95}  # least share of cells, by number of features
NO_PHASE = -1  # of a cell in which nothing is finite; equal to no Phase
AT_OPTIMUM = 0.01  # a restart found the optimum if its loss is within this relative distance
BOUNDARY_TOLERANCE = 0.08  # relative, of the density at which superposition begins
JUMP_AT, JUMP_CELLS = 0.2, 1.5  # relative importance; largest ratio of neighbouring densities
JUMP = (0.1, 0.6)  # the extra feature's norm is below the first and above the second number


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the theory says nothing about the experiment."""
  del axes
  wanted: dict[str, Any] = {
    "model.name": "relu_output",
    "data.distribution": "sparse_uniform",
    "data.target": "identity",
    "loss.reduction": "sum",
    "density.profile": "uniform",
    "importance.profile": "last_apart",
    "importance.base": 1.0,
  }
  require(values, "phase_change", wanted)
  sizes = (values["model.n_features"], values["model.n_hidden"])
  if sizes not in ((2, 1), (3, 2)):
    raise UserError(
      f"config.model.n_features, n_hidden: {sizes} is not allowed with analysis 'phase_change'; "
      "allowed: (2, 1) and (3, 2)"
    )
  fields = zip(PLANE, ("importance.ratio", "density.base"), strict=True)
  require_axes(values, "phase_change", dict(fields))
  for group in groups:
    if (group.instances.density[:, -1] <= 0).any() or (group.instances.importance <= 0).any():
      raise UserError(
        f"config.axis.{PLANE[0]}, {PLANE[1]}: 0 is not allowed with analysis 'phase_change', whose "
        "axes are logarithmic; allowed: numbers > 0"
      )


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with theory, optimum, the restarts' summaries and their agreement."""
  if "restart" not in dataset.dims:
    return run(dataset.expand_dims("restart"), mesh, memory_budget).squeeze("restart")
  dataset = _add_closed_forms(dataset)
  dataset = _add_optimum(dataset, mesh, memory_budget)
  dataset = _add_restarts(dataset)
  return _add_agreement(dataset)


def _add_closed_forms(dataset: "xr.Dataset") -> "xr.Dataset":
  n = dataset.sizes["feature"]
  r, p = np.meshgrid(dataset[PLANE[0]], dataset[PLANE[1]], indexing="ij")
  solutions = [name for name, _ in theory.SOLUTIONS[n]]
  boundary = theory.boundary(dataset[PLANE[0]].values, n)
  return dataset.assign_coords(solution=solutions).assign(
    closed_form_loss=(("solution", *PLANE), theory.losses(r, p, n)),
    closed_form_phase=(PLANE, theory.phase_map(r, p, n)),
    closed_form_boundary=(PLANE[0], boundary, {"long_name": "density p*, nan without one"}),
  )


def _add_optimum(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Adds the best solution over all weights and biases, in every cell of the plane."""
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  cells = dataset.isel(restart=0).transpose(*PLANE, "feature", ...)
  problems = tuple(
    cells[name].values.reshape(-1, n) for name in ("feature_density", "feature_importance")
  )

  def solve(problems):
    density, importance = problems
    best = optimum.global_minimum(density, importance, m)
    return best, measure(best.params, ("feature_norm", "superposition"))

  best, measured = mapping.map_slices(
    solve,
    problems,
    mesh=mesh,
    bytes_each=optimum.problem_bytes(n, m),
    budget=memory_budget,
    cpu_options=scalarize.CPU_OPTIONS,
  )

  def on_plane(values, *dims):
    shape = tuple(dataset.sizes[name] for name in PLANE)
    return (*PLANE, *dims), values.reshape(*shape, *values.shape[1:])

  norm, overlap = measured["feature_norm"][:, -1], measured["superposition"][:, -1]
  return dataset.assign(
    optimum_loss=on_plane(best.loss),
    optimum_W=on_plane(best.params.W, "hidden", "feature"),
    optimum_b=on_plane(best.params.b, "feature"),
    optimum_share_found=on_plane(best.share_found),
    optimum_norm=on_plane(norm),
    optimum_superposition=on_plane(overlap),
    optimum_phase=on_plane(theory.classify(norm, overlap)),
  )


def _add_restarts(dataset: "xr.Dataset") -> "xr.Dataset":
  """Adds the extra feature of the best restart, and the paper's average over restarts.

  The paper trains ten models per cell, discards the one of highest loss and averages the rest.
  What it averages is not stated; averaging W means nothing under its sign symmetry, so norm and
  superposition are averaged. A restart that is not finite counts as worst.
  """
  loss = restarts.ranked_loss(dataset)
  best = loss.argmin("restart")
  extra = dataset[["feature_norm", "superposition"]].isel(EXTRA)
  chosen = extra.isel(restart=best)
  n_restarts = dataset.sizes["restart"]
  rank = loss.argsort(axis=loss.get_axis_num("restart")).argsort(axis=loss.get_axis_num("restart"))
  kept = (rank < max(1, n_restarts - 1)) & np.isfinite(loss)
  mean = extra.where(kept).mean("restart")
  at_optimum = loss <= dataset["optimum_loss"] * (1 + AT_OPTIMUM)
  best_loss = loss.isel(restart=best)
  known = np.isfinite(best_loss)  # a cell without any finite restart shows no phase
  summary = {"best_restart": best, "best_loss": best_loss.where(known)}
  summary["share_of_restarts_at_optimum"] = at_optimum.mean("restart")
  for name, values in (("best", chosen), ("mean", mean)):
    norm, overlap = values["feature_norm"], values["superposition"]
    summary[f"{name}_norm"], summary[f"{name}_superposition"] = norm, overlap
    phase = norm.copy(data=theory.classify(norm.values, overlap.values))
    summary[f"{name}_phase"] = phase.where(known, NO_PHASE)
  plane = {name: values.transpose(*PLANE) for name, values in summary.items()}
  return dataset.assign({k: v.drop_vars("restart", errors="ignore") for k, v in plane.items()})


def _add_agreement(dataset: "xr.Dataset") -> "xr.Dataset":
  """Adds the shares of cells in which two maps show the same phase."""
  away = np.abs(np.log10(dataset[PLANE[0]])) > NEAR_EQUAL
  pairs = {
    "agreement_best_optimum": ("best_phase", "optimum_phase"),
    "agreement_best_closed_form": ("best_phase", "closed_form_phase"),
    "agreement_mean_optimum": ("mean_phase", "optimum_phase"),
    "agreement_closed_form_optimum": ("closed_form_phase", "optimum_phase"),
  }
  same = {name: dataset[a] == dataset[b] for name, (a, b) in pairs.items()}
  shares = {name: equal.mean() for name, equal in same.items()}
  shares["agreement_best_optimum_away"] = same["agreement_best_optimum"].where(away).mean()
  return dataset.assign(shares)


def boundary(phase: "xr.DataArray") -> tuple[np.ndarray, float]:
  """Returns the density at which superposition begins, for each relative importance.

  It lies between the densest cell in superposition and the next denser one: their geometric mean
  is given, nan where no cell or the densest of all is in superposition; and the factor by which
  the truth may differ from it, the square root of the ratio of neighbouring densities.
  """
  phase = phase.transpose(*PLANE).sortby("density")
  density = phase["density"].values
  superposed = phase.values == Phase.SUPERPOSITION
  last = len(density) - 1 - np.argmax(superposed[:, ::-1], axis=1)
  found = superposed.any(axis=1) & (last < len(density) - 1)
  upper = np.minimum(last + 1, len(density) - 1)
  middle = np.where(found, np.sqrt(density[last] * density[upper]), np.nan)
  return middle, float(np.sqrt(np.max(density[1:] / density[:-1]))) if len(density) > 1 else np.inf


def boundary_at(phase: "xr.DataArray", relative_importance: Sequence[float]) -> np.ndarray:
  """Returns `boundary` at given relative importances, interpolated in the logarithms."""
  phase = phase.sortby(PLANE[0])
  middle, _ = boundary(phase)
  r = np.log(phase[PLANE[0]].values)
  known = np.isfinite(middle)
  if not known.any():
    return np.full(len(relative_importance), np.nan)
  wanted = np.log(relative_importance)
  at = np.interp(wanted, r[known], np.log(middle[known]), left=np.nan, right=np.nan)
  # The ends of the axis are not exact in floating point.
  ends = np.isclose(wanted, r[known][0]) | np.isclose(wanted, r[known][-1])
  nearest = np.interp(wanted, r[known], np.log(middle[known]))
  return np.exp(np.where(ends, nearest, at))


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the trained models say about the paper's statements."""
  n = dataset.sizes["feature"]
  rows = [_agreement_claim(dataset, n), *_boundary_claims(dataset, n), _jump_claim(dataset)]
  if n == 2:
    rows.append(_symmetry_claim(dataset))
  else:
    rows.append(_dedicated_claim(dataset))
  for name, statement in (
    ("agreement_mean_optimum", "restarts averaged as in the paper, against the true optimum"),
    ("agreement_best_closed_form", "best of restarts, against the closed forms"),
    ("agreement_closed_form_optimum", "closed forms, against the true optimum"),
  ):
    rows.append(Claim(f"same phase: {statement}", f"{float(dataset[name]):.1%}", "", REPORTED))
  unknown = int((dataset["best_phase"] == NO_PHASE).sum())
  if unknown:
    rows.append(Claim("cells in which no restart is finite", str(unknown), "", REPORTED))
  excess = dataset["best_loss"] / dataset["optimum_loss"] - 1
  share = float(dataset["share_of_restarts_at_optimum"].mean())
  measured = f"median {float(excess.median()):.2%}, worst {float(excess.max()):.2%}"
  return [
    *rows,
    Claim("loss of the best restart above the true optimum", measured, "", REPORTED),
    Claim(f"restarts within {AT_OPTIMUM:.0%} of the true optimum", f"{share:.0%}", "", REPORTED),
  ]


def _agreement_claim(dataset: "xr.Dataset", n: int) -> Claim:
  name = "agreement_best_optimum" if n == 2 else "agreement_best_optimum_away"
  cells = "all cells" if n == 2 else f"cells with |log10 r| > {NEAR_EQUAL}"
  share = float(dataset[name])
  return Claim(
    f"same phase: best of restarts, against the true optimum ({cells})",
    f"{share:.1%}",
    f"≥ {AGREEMENT[n]:.0%}",
    verdict(share >= AGREEMENT[n], decided=bool(np.isfinite(share))),
  )


def _boundary_claims(dataset: "xr.Dataset", n: int) -> list[Claim]:
  """Where superposition begins, at the relative importances whose true boundary is known."""
  known = np.array(list(theory.TRUE_BOUNDARY))
  true = np.array(list(theory.TRUE_BOUNDARY.values()))
  _, factor = boundary(dataset["best_phase"])
  rows = []
  for side, r in (("less", known), ("more", 1 / known)):
    if side == "more" and n == 3:
      continue  # the extra feature is then always dedicated
    measured = boundary_at(dataset["best_phase"], r.tolist())
    error = np.abs(measured / true - 1)
    listed = ", ".join(f"{number:g}" for number in r)
    rows.append(
      Claim(
        f"density at which superposition begins, extra feature {side} important (r = {listed})",
        ", ".join(f"{p:.3f}" for p in measured),
        f"{', '.join(f'{p:.3f}' for p in true)}, each ±{BOUNDARY_TOLERANCE:.0%}",
        verdict(
          bool(np.all(error <= BOUNDARY_TOLERANCE)),
          decided=factor <= 1 + BOUNDARY_TOLERANCE and bool(np.isfinite(error).all()),
        ),
      )
    )
  return rows


def _jump_claim(dataset: "xr.Dataset") -> Claim:
  """The change is of first order: the norm jumps between two neighbouring densities."""
  column = dataset["best_norm"].sortby("density").sel({PLANE[0]: JUMP_AT}, method="nearest")
  r, norm, density = float(column[PLANE[0]]), column.values, column["density"].values
  steps = np.flatnonzero((norm[:-1] >= theory.NORM_THRESHOLD) & (norm[1:] < theory.NORM_THRESHOLD))
  # Between cells far apart, or at another r, a slope would pass for a jump.
  ratio = float(np.max(density[1:] / density[:-1], initial=1))
  fine = ratio <= JUMP_CELLS and abs(math.log10(r / JUMP_AT)) < 0.1
  below, above = (norm[steps[-1]], norm[steps[-1] + 1]) if len(steps) else (np.nan, np.nan)
  return Claim(
    f"the extra feature appears abruptly: its norm on either side of the boundary, r = {r:.2f}",
    f"{above:.2f} → {below:.2f}",
    f"< {JUMP[0]} → > {JUMP[1]}",
    verdict(bool(above < JUMP[0] and below > JUMP[1]), decided=fine and len(steps) > 0),
  )


def _symmetry_claim(dataset: "xr.Dataset") -> Claim:
  """Exchanging the features turns r into 1/r: feature 0 at 1/r does what feature 1 does at r."""
  first = dataset[["feature_norm", "superposition"]].isel(feature=0)
  if "restart" in dataset.dims:
    first = first.isel(restart=dataset["best_restart"])
  first = first.transpose(*PLANE)
  phase = theory.classify(first["feature_norm"].values, first["superposition"].values)
  r = dataset[PLANE[0]].values
  mirrored = bool(np.allclose(r * r[::-1], 1))
  best = dataset["best_phase"].transpose(*PLANE).values
  share = np.mean((phase[::-1] == best)[best != NO_PHASE])
  return Claim(
    "symmetry r ↔ 1/r: the other feature at 1/r shows the phase of the extra one at r",
    f"{share:.1%}",
    f"≥ {2 * AGREEMENT[2] - 1:.0%}",
    verdict(bool(share >= 2 * AGREEMENT[2] - 1), decided=mirrored and bool(np.isfinite(share))),
  )


def _dedicated_claim(dataset: "xr.Dataset") -> Claim:
  """With n = 3, an extra feature more important than the others is never in superposition."""
  above = np.log10(dataset[PLANE[0]]) > NEAR_EQUAL
  alone = (dataset["best_superposition"] < 0.1) & (dataset["best_norm"] >= theory.NORM_THRESHOLD)
  share = float(alone.where(above).mean())
  return Claim(
    "more important than the others, the extra feature has a dimension to itself (r > 1)",
    f"{share:.1%}",
    f"≥ {AGREEMENT[3]:.0%}",
    verdict(share >= AGREEMENT[3], decided=bool(above.any())),
  )


ANALYSIS = Analysis(
  "Superposition as a Phase Change", ("feature_norm", "superposition"), check, claims, run
)
