"""Whether the minima of Thomson's problem and the paper's matrices are the solids of the paper.

Paper, section "The Geometry of Superposition".
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.experiment import Claim, identity
from toy_superposition.experiments.thomson import theory
from toy_superposition.experiments.thomson.analysis import FACTORS, ORTHOGONAL_TO, dimensionality
from toy_superposition.geometry import components

if TYPE_CHECKING:
  import xarray as xr

ENERGY_TOLERANCE = 1e-6  # absolute, of an energy
D_TOLERANCE = 1e-4  # of a dimensionality of a numerical minimum
EXACT = 1e-6  # of a cosine or dimensionality that is known in closed form
SAME_MINIMUM = 1e-9  # relative difference of energies up to which two descents found one minimum


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the paper's statements about solids."""
  return [
    *_minima_claims(dataset),
    _antiprism_claim(dataset),
    _triangle_claim(dataset),
    _recovery_claim(dataset),
    _tegum_claim(dataset),
    _bipyramid_claim(dataset),
  ]


def _minima_claims(dataset: "xr.Dataset") -> list[Claim]:
  energy = dataset["thomson_energy"]
  charges = [int(n) for n in dataset["charges"].values]
  number = f"{charges[0]} … {charges[-1]}"
  lowest = energy.min("descent").values
  known = np.array([theory.ENERGIES[n] for n in charges])
  at_minimum = (energy <= energy.min("descent") * (1 + SAME_MINIMUM)).mean("descent").values
  solids = [str(name) for name in dataset["thomson_solid"].values]
  D = dataset["thomson_dimensionality"].values
  known_D = ", ".join(f"{n}: {_listed(theory.DIMENSIONALITIES[n])}" for n in charges)
  distances = [
    _farthest(row, theory.DIMENSIONALITIES[n]) for n, row in zip(charges, D, strict=True)
  ]
  return [
    Claim(
      f"lowest energies of N = {number} charges on a sphere (Thomson's problem)",
      f"{', '.join(f'{e:.6f}' for e in lowest)}; for every N, at least "
      f"{at_minimum.min():.0%} of {energy.sizes['descent']} descents end there",
      f"{', '.join(f'{e:.6f}' for e in known)}, each ±{ENERGY_TOLERANCE:g}",
      identity(bool(np.all(np.abs(lowest - known) <= ENERGY_TOLERANCE))),
    ),
    Claim(
      f"the minima of Thomson's problem for N = {number} are the solids that features form",
      ", ".join(f"{n}: {name}" for n, name in zip(charges, solids, strict=True)),
      ", ".join(f"{n}: {theory.SOLIDS[n]}" for n in charges),
      identity(solids == [theory.SOLIDS[n] for n in charges]),
    ),
    Claim(
      f"feature dimensionalities D_i of the minima of Thomson's problem for N = {number}",
      ", ".join(f"{n}: {_listed(row)}" for n, row in zip(charges, D, strict=True)),
      f"{known_D}, each ±{D_TOLERANCE:g}",
      identity(max(distances) <= D_TOLERANCE),
    ),
  ]


def _farthest(values: np.ndarray, known: Sequence[float]) -> float:
  """Returns the largest distance from a value to the nearest known one, or the other way round."""
  distance = np.abs(np.subtract.outer(values[np.isfinite(values)], known))
  return float(max(distance.min(axis=1).max(), distance.min(axis=0).max()))


def _listed(values: Sequence[float] | np.ndarray) -> str:
  distinct = np.unique(np.round(np.asarray(values)[np.isfinite(values)], 4))
  return " & ".join(f"{value:.4f}" for value in distinct)


def _antiprism_claim(dataset: "xr.Dataset") -> Claim:
  """Eight charges do not make the tight frame whose D_i is the paper's 3/8."""
  D = dataset["thomson_dimensionality"].sel(charges=8).values
  tight = components.square_antiprism()
  deviation = np.abs(dimensionality(tight) - 3 / 8).max()
  excess = theory.energy(tight) - float(dataset["thomson_energy"].sel(charges=8).min())
  return Claim(
    "the square antiprism with D_i = 3/8 is the tight frame, not the minimum for N = 8 charges",
    f"tight frame: D_i = 3/8 ± {deviation:.1e}, energy {excess:.4f} higher; "
    f"minimum: Σ D_i = {D.sum():.3f}",
    f"D_i = 3/8 ± {EXACT:g}; Σ D_i < 3 for the minimum (paper: 3/8 for the square antiprism)",
    identity(deviation <= EXACT and excess > ENERGY_TOLERANCE and D.sum() < 3 - D_TOLERANCE),
  )


def _triangle_claim(dataset: "xr.Dataset") -> Claim:
  triangle = dataset["polytope_gram"].sel(polytope="triangle").values[:3, :3]
  cosine = triangle[np.triu_indices(3, 1)]
  return Claim(
    "three basis vectors projected orthogonally to (1, 1, 1) and normalised form a triangle: "
    "their cosines",
    f"{cosine.min():.6f} to {cosine.max():.6f}",
    f"−1/2 ± {EXACT:g}",
    identity(bool(np.all(np.abs(cosine + 0.5) <= EXACT))),
  )


def _recovery_claim(dataset: "xr.Dataset") -> Claim:
  names = [str(name) for name in dataset["polytope"].values]
  solids = [str(name) for name in dataset["polytope_solid"].values]
  n_same = sum(a == b for a, b in zip(names, solids, strict=True))
  n_vertices = np.isfinite(dataset["polytope_dimensionality"].values).sum(axis=1)
  n_conditions = np.array([len(ORTHOGONAL_TO[name]) for name in names])
  rank = dataset["polytope_rank"].values
  return Claim(
    "a polytope is determined by the vectors that W is orthogonal to, and recovered from WᵀW",
    f"{n_same} of {len(names)} solids; rank m of WᵀW = n − conditions in "
    f"{int((rank == n_vertices - n_conditions).sum())}",
    f"all {len(names)} ({', '.join(names)})",
    identity(names == solids and bool(np.all(rank == n_vertices - n_conditions))),
  )


def _tegum_claim(dataset: "xr.Dataset") -> Claim:
  products = dataset.sel(polytope=[name for name in dataset["polytope"].values if name in FACTORS])
  D = products["polytope_dimensionality"]
  deviation = np.abs(D - products["polytope_factors_dimensionality"])
  return Claim(
    "a tegum product keeps the dimensionalities of its factors",
    "; ".join(
      f"{name}: {_listed(row)}"
      for name, row in zip(products["polytope"].values, D.values, strict=True)
    ),
    f"the factors' dimensionalities, ±{EXACT:g}",
    identity(bool(deviation.max() <= EXACT)),
  )


def _bipyramid_claim(dataset: "xr.Dataset") -> Claim:
  bipyramid = dataset["polytope_dimensionality"].sel(polytope="triangular bipyramid").values
  return Claim(
    "mean dimensionality of the triangular bipyramid's vertices is m/n = 3/5, though none has it",
    f"{np.nanmean(bipyramid):.4f}",
    f"3/5 ± {EXACT:g}; the paper's caption has 6 × 3/5 for five vertices, a slip",
    identity(bool(abs(np.nanmean(bipyramid) - 3 / 5) <= EXACT)),
  )
