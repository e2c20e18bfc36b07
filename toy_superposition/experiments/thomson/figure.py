"""Solids: minima of Thomson's problem, and polytopes with their matrices WᵀW."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure, SubFigure

from toy_superposition.drawing import solids, spread, style, weights
from toy_superposition.geometry.orientation import oriented
from toy_superposition.theory import polytopes

if TYPE_CHECKING:
  import xarray as xr

SPREAD = spread.NONE
COLUMNS = 8


def upright(points: Float[np.ndarray, "axis point"]) -> Float[np.ndarray, "3 point"]:
  """Returns the points, of at most three dimensions, turned for drawing: the solid's axis is
  vertical, or its first vertex if no direction is special."""
  flat = np.zeros((3, points.shape[1]))
  flat[: len(points)] = oriented(points)
  values, vectors = np.linalg.eigh(flat @ flat.T)
  if np.ptp(values) < 1e-3:
    return flat[[1, 2, 0]]
  # The eigenvalue farthest from the middle one belongs to the axis.
  axis = 0 if values[1] - values[0] > values[2] - values[1] else 2
  order = [k for k in range(3) if k != axis] + [axis]
  return vectors[:, order].T @ flat


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: charges above, polytopes and their matrices below."""
  with style.style():
    figure = style.figure(1.75 * COLUMNS, 6.6)
    rows = figure.subfigures(3, 1, squeeze=False, height_ratios=(1.15, 1.1, 0.95))
    _draw_charges(rows[0, 0], dataset)
    _draw_polytopes(rows[1, 0], rows[2, 0], dataset)
  return figure


def _draw_charges(figure: SubFigure, dataset: "xr.Dataset") -> None:
  energy = dataset["thomson_energy"].min("descent").values
  figure.suptitle("Unit charges on a sphere at their lowest energy $E$ (Thomson's problem)")
  for k in range(dataset.sizes["charges"]):
    cell = dataset.isel(charges=k)
    n = int(cell["charges"])
    axes = figure.add_subplot(1, COLUMNS, k + 1, projection="3d")
    solids.draw_solid(axes, upright(cell["thomson_points"].values[:, :n]))
    D = np.unique(np.round(cell["thomson_dimensionality"].values[:n], 3))
    listed = ", ".join(f"{value:.3g}" for value in D)
    axes.set_title(
      f"$N$ = {n}: {cell['thomson_solid'].item()}\n$E$ = {energy[k]:.4f},  $D_i$ = {listed}",
      fontsize="small",
    )


def _draw_polytopes(shapes: SubFigure, matrices: SubFigure, dataset: "xr.Dataset") -> None:
  shapes.suptitle(
    "Polytopes of $n$ vertices in $m$ dimensions, and below them their matrices $W^TW$ of rank $m$"
    " (blue −1, red +1)"
  )
  for k in range(dataset.sizes["polytope"]):
    cell = dataset.isel(polytope=k)
    gram = cell["polytope_gram"].values
    n = int(np.isfinite(gram[0]).sum())
    W = polytopes.directions(gram[:n, :n])
    axes = shapes.add_subplot(1, COLUMNS, k + 1, projection="3d")
    solids.draw_solid(axes, upright(W))
    axes.set_title(f"{cell['polytope_solid'].item()}\n$n$ = {n}, $m$ = {len(W)}", fontsize="small")
    weights.draw_gram(matrices.add_subplot(1, COLUMNS, k + 1), W)
