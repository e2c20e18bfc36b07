"""The phase diagram under several output activations: where the extra feature is in superposition.

Paper, comments and replications (K. Sachan, Redwood Research), on the section "Superposition as a
Phase Change".
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.sharding import Mesh

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
from toy_superposition.experiments.phase_change import claims as phase_change
from toy_superposition.theory import phase_change as theory
from toy_superposition.theory.phase_change import Phase
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

MAP = ("model", *phase_change.PLANE)
ODD = ("linear", "tanh_output")  # f(−z) = −f(z): a negative interference is as bad as a positive
REFERENCE = "relu_output"
SPARSE, NEAR = 0.1, 0.5  # density and |log10 r| within which superposition is looked for
NEARLY_ALL = 0.9  # share of these cells: no restart of a few may have found it in the others
LEAST_POINTS = 10  # per axis, for boundaries that are read off


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the plane is not the phase change's."""
  del axes
  wanted = {
    "model.n_features": 2,
    "model.n_hidden": 1,
    "data.distribution": "sparse_uniform",
    "data.target": "identity",
    "density.profile": "uniform",
    "importance.profile": "last_apart",
    "importance.base": 1.0,
  }
  require(values, "activation_functions", wanted)
  fields = zip(MAP, ("model.name", "importance.ratio", "density.base"), strict=True)
  require_axes(values, "activation_functions", dict(fields))
  models = {group.spec.model for group in groups}
  if not {"linear", REFERENCE} <= models or "absolute_value" in models:
    raise UserError(
      f"config.axis.model.points: {sorted(models)} are not allowed with analysis "
      f"'activation_functions'; allowed: linear, {REFERENCE} and others with tied weights"
    )


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the extra feature's phase in the best restart."""
  del mesh, memory_budget
  best = restarts.best(dataset).isel(feature=-1).transpose(*MAP, ...)
  norm, overlap = best["feature_norm"], best["superposition"]
  return dataset.assign(
    best_norm=norm.drop_vars("restart", errors="ignore"),
    best_superposition=overlap.drop_vars("restart", errors="ignore"),
    best_phase=(MAP, theory.classify(norm.values, overlap.values)),
  )


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns where superposition appears, activation by activation."""
  superposed = dataset["best_phase"] == Phase.SUPERPOSITION
  share = superposed.mean(phase_change.PLANE).to_series().to_dict()
  models = list(share)
  others = [name for name in models if name not in ODD]
  r, p = dataset["relative_importance"], dataset["density"]
  sparse = superposed.where((p <= SPARSE) & (np.abs(np.log10(r)) <= NEAR)).mean(phase_change.PLANE)
  in_sparse = {name: float(sparse.sel(model=name)) for name in models}
  n_points = min(r.size, p.size)
  fine = n_points >= LEAST_POINTS
  listed = {name: f"{label(name)} {share[name]:.0%}" for name in models}
  n_linear = int(superposed.sel(model="linear").sum())
  widest = max(share[name] for name in others) - min(share[name] for name in others)
  odd = [name for name in ODD if name in models and name != "linear"]
  return [
    Claim(
      "the linear model never shows superposition",
      f"{n_linear} of {r.size * p.size} cells",
      "0",
      verdict(n_linear == 0),
    ),
    Claim(
      f"superposition appears where features are sparse (p ≤ {SPARSE:g}, |log10 r| ≤ {NEAR:g})",
      ", ".join(f"{label(name)} {in_sparse[name]:.0%}" for name in others),
      f"≥ {NEARLY_ALL:.0%} of these cells, for each activation that is not odd",
      verdict(min(in_sparse[name] for name in others) >= NEARLY_ALL, decided=fine),
    ),
    Claim(
      "nor do other odd activations, f(−z) = −f(z)",
      ", ".join(listed[name] for name in odd) or "none trained",
      "0 % (by symmetry: interference of either sign is passed on)",
      verdict(all(share[name] == 0 for name in odd), decided=bool(odd)),
    ),
    Claim(
      "some activations induce more superposition than others: share of the plane",
      ", ".join(listed[name] for name in others),
      # A boundary on either side of r = 1, each moved by a cell, is a chance of the grid.
      f"a range of more than {2 / n_points:.0%} among those that are not odd",
      verdict(widest > 2 / n_points, decided=fine),
    ),
    *_boundary_claims(dataset, others),
  ]


def _boundary_claims(dataset: "xr.Dataset", models: Sequence[str]) -> list[Claim]:
  """Returns the densities at which superposition begins for the activations."""
  rows = []
  for r in (0.2, 5.0):
    begins = {
      name: phase_change.boundary_at(dataset["best_phase"].sel(model=name), [r])[0]
      for name in models
    }
    _, factor = phase_change.boundary(dataset["best_phase"].sel(model=REFERENCE))
    rows.append(
      Claim(
        f"density at which superposition begins, r = {r:g}",
        ", ".join(f"{label(name)} {density:.2g}" for name, density in begins.items()),
        f"ReLU {theory.TRUE_BOUNDARY[0.2]:g}; known up to a factor {factor:.2f}",
        REPORTED,
      )
    )
  return rows


LABELS = {
  "linear": "linear",
  "relu_output": "ReLU",
  "leaky_relu_output": "leaky ReLU",
  "squared_relu_output": "ReLU²",
  "gelu_output": "GELU",
  "softplus_output": "softplus",
  "tanh_output": "tanh",
}


def label(model: str) -> str:
  """Returns the name of a model's activation."""
  return LABELS.get(model, model)


ANALYSIS = Analysis(
  "Comments & Replications", ("feature_norm", "superposition"), check, claims, run
)
