"""Theory and optimum beside the trained models of the phase change.

All maps lie on the plane of relative importance and density and show the fate of the extra feature,
the last one.
"""

from typing import TYPE_CHECKING

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition import scalarize
from toy_superposition.devices import mapping
from toy_superposition.experiments import excess, restarts
from toy_superposition.experiments.phase_change import exact
from toy_superposition.experiments.phase_plane import PLANE
from toy_superposition.geometry import features
from toy_superposition.theory import optimum
from toy_superposition.theory import phase_change as theory

if TYPE_CHECKING:
  import xarray as xr

EXTRA = {"feature": -1}
# Near r = 1 features may be exchanged: which one is dropped is a matter of chance.
NEAR_EQUAL = 0.05  # |log10 r|
NO_PHASE = -1  # phase of a cell without a finite restart; equal to no Phase
AT_OPTIMUM = 0.01  # relative distance of a restart's loss within which it found the optimum


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with theory, optimum, the restarts' summaries and their agreement."""
  if "restart" not in dataset.dims:
    return run(dataset.expand_dims("restart"), mesh, memory_budget).squeeze("restart")
  dataset = _add_closed_forms(dataset)
  dataset = exact.add(_add_optimum(dataset, mesh, memory_budget))
  dataset = excess.with_bound(dataset, "exact_optimum", dataset["optimum_loss"])
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
    norm, overlap = (
      jax.vmap(f)(best.params.W) for f in (features.feature_norm, features.superposition)
    )
    return best, norm, overlap

  best, norms, overlaps = mapping.map_slices(
    solve,
    problems,
    mesh=mesh,
    bytes_each=optimum.problem_bytes(n_features=n, n_hidden=m),
    budget=memory_budget,
    cpu_options=scalarize.CPU_OPTIONS,
  )

  def on_plane(values, *dims):
    shape = tuple(dataset.sizes[name] for name in PLANE)
    return (*PLANE, *dims), values.reshape(*shape, *values.shape[1:])

  norm, overlap = norms[:, -1], overlaps[:, -1]
  return dataset.assign(
    optimum_loss=on_plane(best.loss),
    optimum_W=on_plane(best.params.W, "hidden", "feature"),
    optimum_b=on_plane(best.params.b, "feature"),
    optimum_share_found=on_plane(best.share_found),
    optimum_norm=on_plane(norm),
    optimum_superposition=on_plane(overlap),
    optimum_phase=on_plane(theory.classify(norm, overlap)),
    optimum_phases=on_plane(theory.classify(norms, overlaps), "feature"),
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
  of_all = dataset[["feature_norm", "superposition"]].isel(restart=best)
  norms, overlaps = of_all["feature_norm"], of_all["superposition"]
  phases = norms.copy(data=theory.classify(norms.values, overlaps.values))
  summary["best_phases"] = phases.where(known, NO_PHASE)
  plane = {name: values.transpose(*PLANE, ...) for name, values in summary.items()}
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
