"""Where superposition appears, activation by activation.

Paper, comments and replications (K. Sachan, Redwood Research), on the section "Superposition as a
Phase Change".
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.activation_functions.analysis import LABELS, REFERENCE
from toy_superposition.experiments.experiment import REPORTED, Claim, identity, verdict
from toy_superposition.experiments.phase_plane import PLANE, boundary, boundary_at
from toy_superposition.theory import phase_change as theory
from toy_superposition.theory.phase_change import Phase

if TYPE_CHECKING:
  import xarray as xr

ODD = ("linear", "tanh_output")  # f(−z) = −f(z): a negative interference is as bad as a positive
SPARSE, NEAR = 0.1, 0.5  # largest density and |log10 r| of the cells that must show superposition
NEARLY_ALL = 0.9  # share of these cells: in the others no restart of a few may have found it
MIN_POINTS = 10  # points per axis from which on a boundary can be read off


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on where superposition appears."""
  superposed = dataset["best_phase"] == Phase.SUPERPOSITION
  models = [str(name) for name in dataset["model"].values]
  others = [name for name in models if name not in ODD]
  n_linear = int(superposed.sel(model="linear").sum())
  return [
    Claim(
      "the linear model never shows superposition",
      f"{n_linear} of {superposed.sel(model='linear').size} cells",
      "0",
      identity(n_linear == 0),
    ),
    _sparse_claim(superposed, others),
    _odd_claim(superposed, [name for name in ODD if name in models and name != "linear"]),
    _differ_claim(superposed, others),
    *_boundary_claims(dataset, others),
  ]


def _n_points(superposed: "xr.DataArray") -> int:
  """Returns the number of points on the shorter axis of the plane."""
  return min(superposed.sizes[name] for name in PLANE)


def _share(superposed: "xr.DataArray", model: str) -> float:
  """Returns the share of the plane in which a model's extra feature is in superposition."""
  return float(superposed.mean(PLANE).sel(model=model))


def _sparse_claim(superposed: "xr.DataArray", models: Sequence[str]) -> Claim:
  r, p = superposed["relative_importance"], superposed["density"]
  sparse = superposed.where((p <= SPARSE) & (np.abs(np.log10(r)) <= NEAR)).mean(PLANE)
  shares = {name: float(sparse.sel(model=name)) for name in models}
  return Claim(
    "activations that are not odd induce superposition where features are sparse "
    f"(p ≤ {SPARSE:g}, |log10 r| ≤ {NEAR:g})",
    ", ".join(f"{LABELS[name]} {share:.0%}" for name, share in shares.items()),
    f"≥ {NEARLY_ALL:.0%} of the sparse cells, for each activation",
    verdict(min(shares.values()) >= NEARLY_ALL, decided=_n_points(superposed) >= MIN_POINTS),
  )


def _odd_claim(superposed: "xr.DataArray", models: Sequence[str]) -> Claim:
  shares = {name: _share(superposed, name) for name in models}
  return Claim(
    "odd activations other than the linear one, f(−z) = −f(z), never induce superposition: share "
    "of the plane",
    ", ".join(f"{LABELS[name]} {share:.0%}" for name, share in shares.items()) or "none trained",
    "0 % (interference of either sign is passed on; a bias breaks the symmetry)",
    verdict(all(share == 0 for share in shares.values()), decided=bool(shares)),
  )


def _differ_claim(superposed: "xr.DataArray", models: Sequence[str]) -> Claim:
  shares = {name: _share(superposed, name) for name in models}
  widest, n_points = max(shares.values()) - min(shares.values()), _n_points(superposed)
  return Claim(
    "activations that are not odd differ in the amount of superposition that they induce: share of "
    "the plane",
    ", ".join(f"{LABELS[name]} {share:.0%}" for name, share in shares.items()),
    # A boundary on either side of r = 1, each moved by a cell, is a chance of the grid.
    f"a range of more than {2 / n_points:.0%}",
    verdict(widest > 2 / n_points, decided=n_points >= MIN_POINTS),
  )


def _boundary_claims(dataset: "xr.Dataset", models: Sequence[str]) -> list[Claim]:
  """The densities at which superposition begins."""
  _, factor = boundary(dataset["best_phase"].sel(model=REFERENCE))
  rows = []
  for r in (0.2, 5.0):
    begins = {name: boundary_at(dataset["best_phase"].sel(model=name), [r])[0] for name in models}
    rows.append(
      Claim(
        f"density at which superposition begins, by activation, r = {r:g}",
        ", ".join(f"{LABELS[name]} {density:.2g}" for name, density in begins.items()),
        f"{theory.TRUE_BOUNDARY[0.2]:g} for ReLU; known up to a factor {factor:.2f}",
        REPORTED,
      )
    )
  return rows
