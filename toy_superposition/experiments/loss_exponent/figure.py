"""Embeddings by loss, and least losses beside their bound and beside evenly spaced lines."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments.loss_exponent.analysis import CROSS_ENTROPY

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "embeddings: the best of {n} {what}; dots: all of them"
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#e377c2")


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: a grid of embeddings and a panel of losses for every z."""
  dataset = dataset.transpose("n", "active", "loss_name", "restart", ...)
  active, counts = dataset["active"].values.tolist(), dataset["n"].values.tolist()
  names = [str(name) for name in dataset["loss_name"].values]
  with style.style():
    figure = style.figure(max(10.0, 0.95 * len(names) * len(active)), 0.95 * len(counts) + 3.4)
    heights = [0.95 * len(counts) + 0.4, 3.0]
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=heights).ravel()
    for part, z in zip(
      above.subfigures(1, len(active), squeeze=False).ravel(), active, strict=True
    ):
      part.suptitle(f"z = {z} active", fontsize="medium")
      grid = part.subplots(len(counts), len(names), squeeze=False)
      for row, n in zip(grid, counts, strict=True):
        for axes, name in zip(row, names, strict=True):
          _draw_embedding(axes, dataset.sel(n=n, active=z, loss_name=name))
        row[0].set_ylabel(f"T = {n}")
      for axes, name in zip(grid[0], names, strict=True):
        axes.set_title(name.replace("cross-entropy", "CE"), fontsize="small")
    panels = np.ravel(below.subplots(1, len(active) + 1, squeeze=False))
    for axes, z in zip(panels, active, strict=False):
      _draw_losses(axes, dataset.sel(active=z), z)
    _draw_told_apart(panels[-1], dataset.isel(active=0))
    panels[0].legend(fontsize="small", loc="upper left")
    figure.suptitle(
      "T binary features in a plane: linear readout $W_2W_1x$, by loss; red: features that share a "
      "line"
    )
  return figure


def _draw_embedding(axes: Axes, cell: "xr.Dataset") -> None:
  """Draws √S Vᵀ of the best restart, the longest vector of length 1; features on one line are
  red."""
  at = cell["embedding"].dropna("corner").transpose("axis", "corner").values
  norm = np.linalg.norm(at, axis=0)
  unit = at / norm
  close = np.abs(unit.T @ unit) - np.eye(len(norm)) > 0.999
  for x, y, shared in zip(*(at / norm.max()), close.any(axis=0), strict=True):
    colour = "#d62728" if shared else "#1f4e9c"
    axes.plot([0, x], [0, y], "-o", color=colour, markersize=2.5, linewidth=1, alpha=0.7)
  axes.set(xlim=(-1.15, 1.15), ylim=(-1.15, 1.15), xticks=[], yticks=[])
  axes.set_aspect("equal")
  for spine in axes.spines.values():
    spine.set_visible(False)


def _draw_losses(axes: Axes, part: "xr.Dataset", z: int) -> None:
  """Draws L_q^(1/q) over the root of the least squared error: the bound is 1."""
  part = part.sel(loss_name=part["loss_name"] != CROSS_ENTROPY)
  q = part["loss_name_loss_q"].values
  axes.axhline(1, color="0.4", linewidth=0.9, linestyle="--")
  axes.text(q[-1], 1, "no model below", fontsize="small", color="0.4", ha="right", va="top")
  top = 1.05
  for n, colour in zip(part["n"].values.tolist(), COLOURS, strict=False):
    one = part.sel(n=n)
    ratio = ((one["loss"] / one["bound"]) ** (1 / one["loss_name_loss_q"])).values
    axes.plot(q, np.nanmin(ratio, axis=1), color=colour, linewidth=1.2, label=f"T = {n}")
    axes.plot(q, ratio, ".", color=colour, markersize=3, alpha=0.4)
    top = max(top, 1.05 * np.nanmax(np.nanmin(ratio, axis=1)))
    if z == 1:
      even = (one["even_loss"] / one["bound"]) ** (1 / one["loss_name_loss_q"])
      label = "evenly spaced lines" if n == part["n"].values[-1] else None
      axes.plot(q, even, "x", color=colour, markersize=5, label=label)
      top = max(top, 1.02 * float(even.max()))
  axes.set(xlabel="exponent $q$", title=f"z = {z}", ylim=(0.97, top))
  axes.set_ylabel("$L_q^{1/q}$ / least $L_2^{1/2}$")


def _draw_told_apart(axes: Axes, part: "xr.Dataset") -> None:
  names = [str(name) for name in part["loss_name"].values]
  x = np.arange(len(names))
  for n, colour in zip(part["n"].values.tolist(), COLOURS, strict=False):
    share = part["told_apart"].sel(n=n)
    mean, std = share.mean("restart").values, share.std("restart").values
    axes.errorbar(x, mean, std, color=colour, marker="o", markersize=3, linewidth=1, capsize=2)
  axes.set_xticks(x, [name.replace("cross-entropy", "CE") for name in names], rotation=45)
  axes.set(
    ylim=(0, 1.05),
    ylabel="share told apart",
    title=f"z = {int(part['active'])}: largest output is own",
  )
