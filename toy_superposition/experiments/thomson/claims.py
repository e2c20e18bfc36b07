"""Solids: minima of Thomson's problem, tegum products, and polytopes as low-rank matrices.

Paper, section "The Geometry of Superposition". Nothing is trained.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments.experiment import (
  REPORTED,
  Analysis,
  Claim,
  require,
  require_axes,
  verdict,
)
from toy_superposition.experiments.thomson import theory as thomson
from toy_superposition.geometry import components, features
from toy_superposition.theory import polytopes
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

# Known least energies of 2 to 8 charges, and the dimensionalities D_i of the minima.
ENERGIES = {
  2: 0.5,
  3: 1.732050808,
  4: 3.674234614,
  5: 6.474691495,
  6: 9.985281374,
  7: 14.452977414,
  8: 19.675287861,
}
DIMENSIONALITIES: dict[int, tuple[float, ...]] = {
  2: (1 / 2,),
  3: (2 / 3,),
  4: (3 / 4,),
  5: (2 / 3, 1 / 2),
  6: (1 / 2,),
  7: (2 / 5, 1 / 2),
  8: (0.3744,),
}
NAMES = {
  2: "digon",
  3: "triangle",
  4: "tetrahedron",
  5: "triangular bipyramid",
  6: "octahedron",
  7: "pentagonal bipyramid",
  8: "square antiprism",
}
ENERGY_TOLERANCE, D_TOLERANCE, EXACT = 1e-6, 1e-4, 1e-6
MOST = 8  # charges, and vertices of a polytope
_TURN = 2 * np.pi * np.arange(5) / 5
_PENTAGON = np.stack([np.ones(5), np.cos(2 * _TURN), np.sin(2 * _TURN)])
# What W is orthogonal to, for a polytope each: the paper's table, and solids of the minima above.
ORTHOGONAL_TO: dict[str, np.ndarray] = {
  "digon": np.ones((1, 2)),
  "triangle": np.ones((1, 3)),
  "tetrahedron": np.ones((1, 4)),
  "square": np.array([[1.0, 0, 1, 0], [0, 1, 0, 1]]),
  "pentagon": _PENTAGON,
  "triangular bipyramid": polytopes.direct_sum(np.ones((1, 3)), np.ones((1, 2))),
  "octahedron": np.kron(np.eye(3), np.ones((1, 2))),
  "pentagonal bipyramid": polytopes.direct_sum(_PENTAGON, np.ones((1, 2))),
}
# The factors whose sum a solid is, and the dimensionalities that it keeps from them.
TEGUM = {
  "square": ("digon", "digon"),
  "octahedron": ("digon", "digon", "digon"),
  "triangular bipyramid": ("triangle", "digon"),
  "pentagonal bipyramid": ("pentagon", "digon"),
}


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where something would be trained: this is theory alone."""
  del axes, groups
  require(values, "thomson", {"train.steps": 0, "model.n_features": MOST, "model.n_hidden": 3})
  require_axes(values, "thomson", {}, optional=("start",))


def dimensionality(W: np.ndarray) -> np.ndarray:
  """Returns D_i of each column."""
  return np.asarray(features.feature_dimensionality(jnp.asarray(W, jnp.float32)))


def solid(W: np.ndarray) -> str:
  """Returns the name of the solid that directions make."""
  return components.tegum([part.name for part in components.components(W)])


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the minima of 2 to 8 charges, one descent per start, and with the
  polytopes made of what they are orthogonal to."""
  del mesh, memory_budget
  return _add_polytopes(_add_minima(dataset))


def _add_minima(dataset: "xr.Dataset") -> "xr.Dataset":
  n_starts = dataset.sizes.get("start", 1)
  points = np.full((len(ENERGIES), 3, MOST), np.nan)
  D = np.full((len(ENERGIES), MOST), np.nan)
  energy = np.empty((len(ENERGIES), n_starts))
  names = []
  for k, n in enumerate(ENERGIES):
    minima = thomson.minima(n, n_starts)
    points[k, :, :n], energy[k] = minima.best, minima.energy
    D[k, :n] = dimensionality(minima.best)
    names.append(solid(minima.best))
  return dataset.assign_coords(charges=list(ENERGIES)).assign(
    thomson_energy=(("charges", "descent"), energy, {"long_name": "Σ 1/distance"}),
    thomson_points=(("charges", "axis", "vertex"), points),
    thomson_dimensionality=(("charges", "vertex"), D),
    thomson_solid=("charges", np.array(names)),
  )


def _add_polytopes(dataset: "xr.Dataset") -> "xr.Dataset":
  shape = (len(ORTHOGONAL_TO), MOST)
  gram, D = np.full((*shape, MOST), np.nan), np.full(shape, np.nan)
  rank, names, factors = [], [], np.full(shape, np.nan)
  for k, (name, vectors) in enumerate(ORTHOGONAL_TO.items()):
    W = polytopes.orthogonal_to(vectors)
    n = W.shape[1]
    gram[k, :n, :n] = W.T @ W
    # Back from the matrix: the same solid, whatever its position.
    again = polytopes.directions(gram[k, :n, :n])
    rank.append(len(again))
    D[k, :n] = dimensionality(again)
    names.append(solid(again))
    if name in TEGUM:
      parts = [polytopes.orthogonal_to(ORTHOGONAL_TO[part]) for part in TEGUM[name]]
      factors[k, :n] = np.concatenate([dimensionality(part) for part in parts])
  return dataset.assign_coords(polytope=list(ORTHOGONAL_TO)).assign(
    polytope_gram=(("polytope", "vertex", "other_vertex"), gram),
    polytope_rank=("polytope", np.array(rank)),
    polytope_dimensionality=(("polytope", "vertex"), D),
    polytope_factors_dimensionality=(("polytope", "vertex"), factors),
    polytope_solid=("polytope", np.array(names)),
  )


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the minima and the matrices say about the paper's solids."""
  return [
    *_minima_claims(dataset),
    _antiprism_claim(dataset),
    *_polytope_claims(dataset),
  ]


def _minima_claims(dataset: "xr.Dataset") -> list[Claim]:
  energy = dataset["thomson_energy"]
  charges = [int(n) for n in dataset["charges"].values]
  least = energy.min("descent").values
  wanted = np.array([ENERGIES[n] for n in charges])
  found = (energy <= energy.min("descent") * (1 + 1e-9)).mean("descent").values
  solids = [str(name) for name in dataset["thomson_solid"].values]
  D = dataset["thomson_dimensionality"].values
  wanted_D = ", ".join(f"{n}: {_listed(DIMENSIONALITIES[n])}" for n in charges)
  distance = [_farthest(row, DIMENSIONALITIES[n]) for n, row in zip(charges, D, strict=True)]
  return [
    Claim(
      f"least energy of N = {charges[0]}…{charges[-1]} charges on a sphere",
      f"{', '.join(f'{e:.6f}' for e in least)}; found from at least "
      f"{found.min():.0%} of {energy.sizes['descent']} starts each",
      f"{', '.join(f'{e:.6f}' for e in wanted)}, each ±{ENERGY_TOLERANCE:g}",
      verdict(bool(np.all(np.abs(least - wanted) <= ENERGY_TOLERANCE))),
    ),
    Claim(
      "they are the solids that features form",
      ", ".join(f"{n}: {name}" for n, name in zip(charges, solids, strict=True)),
      ", ".join(f"{n}: {NAMES[n]}" for n in charges),
      verdict(solids == [NAMES[n] for n in charges]),
    ),
    Claim(
      "dimensionalities D_i of the minima",
      ", ".join(f"{n}: {_listed(row)}" for n, row in zip(charges, D, strict=True)),
      f"{wanted_D}, each ±{D_TOLERANCE:g}",
      verdict(max(distance) <= D_TOLERANCE),
    ),
  ]


def _farthest(found: np.ndarray, wanted: Sequence[float]) -> float:
  """Returns the largest distance of a number from the other side's nearest, both ways."""
  apart = np.abs(np.subtract.outer(found[np.isfinite(found)], wanted))
  return float(max(apart.min(axis=1).max(), apart.min(axis=0).max()))


def _listed(values: Sequence[float] | np.ndarray) -> str:
  known = np.unique(np.round(np.asarray(values)[np.isfinite(values)], 4))
  return " & ".join(f"{value:.4f}" for value in known)


def _antiprism_claim(dataset: "xr.Dataset") -> Claim:
  """Eight charges do not make the tight frame whose D_i is the paper's 3/8."""
  D = dataset["thomson_dimensionality"].sel(charges=8).values
  tight = components.square_antiprism()
  same = np.abs(dimensionality(tight) - 3 / 8).max()
  higher = thomson.energy(tight) - float(dataset["thomson_energy"].sel(charges=8).min())
  return Claim(
    "3/8 is the square antiprism that is a tight frame, not the one of least energy",
    f"tight: D = 3/8 ± {same:.1e}, energy {higher:.4f} higher; minimum: Σ D = {D.sum():.3f}",
    f"D = 3/8 ± {EXACT:g}; Σ D < 3 for the minimum (paper: 3/8 for the square antiprism)",
    verdict(same <= EXACT and higher > ENERGY_TOLERANCE and D.sum() < 3 - D_TOLERANCE),
  )


def _polytope_claims(dataset: "xr.Dataset") -> list[Claim]:
  names = [str(name) for name in dataset["polytope"].values]
  solids = [str(name) for name in dataset["polytope_solid"].values]
  same = sum(a == b for a, b in zip(names, solids, strict=True))
  n_vertices = np.isfinite(dataset["polytope_dimensionality"].values).sum(axis=1)
  n_rows = np.array([len(ORTHOGONAL_TO[name]) for name in names])
  rank = dataset["polytope_rank"].values
  triangle = dataset["polytope_gram"].sel(polytope="triangle").values[:3, :3]
  off = triangle[np.triu_indices(3, 1)]
  summed = dataset.sel(polytope=[name for name in names if name in TEGUM])
  apart = np.abs(summed["polytope_dimensionality"] - summed["polytope_factors_dimensionality"])
  pairs = zip(summed["polytope"].values, summed["polytope_dimensionality"].values, strict=True)
  bipyramid = dataset["polytope_dimensionality"].sel(polytope="triangular bipyramid").values
  return [
    Claim(
      "basis vectors projected ⊥ (1, 1, 1) and normalised: cosines of the triangle",
      f"{off.min():.6f} to {off.max():.6f}",
      f"−1/2 ± {EXACT:g}",
      verdict(bool(np.all(np.abs(off + 0.5) <= EXACT))),
    ),
    Claim(
      "polytope ↔ WᵀW: from what W is orthogonal to, to the matrix, to the solid",
      f"{same} of {len(names)} solids; rank m of WᵀW = n − conditions in "
      f"{int((rank == n_vertices - n_rows).sum())}",
      f"all {len(names)} ({', '.join(names)})",
      verdict(names == solids and bool(np.all(rank == n_vertices - n_rows))),
    ),
    Claim(
      "a tegum product keeps the dimensionalities of its factors",
      "; ".join(f"{name}: {_listed(row)}" for name, row in pairs),
      f"those of the factors, ±{EXACT:g}",
      verdict(bool(apart.max() <= EXACT)),
    ),
    Claim(
      "a bipyramid's mean dimensionality is m/n, though no vertex has it (triangular: 3/5)",
      f"{np.nanmean(bipyramid):.4f}",
      "3/5; the paper's caption has 6 × 3/5 for five vertices, a slip",
      REPORTED,
    ),
  ]


ANALYSIS = Analysis("The Geometry of Superposition", (), check, claims, run, of_trained=False)
