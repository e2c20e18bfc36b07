"""Graphs of features joined by interference, laid out component by component."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from toy_superposition.geometry.components import IDEALS

GAP = 0.9  # between components; a polygon's sides have length 1
FAINT = 0.02  # |W_i · W_j| below which no edge is drawn
UNKNOWN = "0.65"
# The paper's kinds of component get the colours that differ most.
MAIN = ("digon", "triangle", "tetrahedron", "pentagon", "square antiprism", "dedicated")
_ORDER = (*MAIN, *(kind for kind in IDEALS if kind not in MAIN))
COLOURS: dict[str, Any] = {
  kind: colormaps["tab10"](k) if k < 7 else colormaps["tab20b"](k - 7)
  for k, kind in enumerate(_ORDER)
} | {"unknown": UNKNOWN}


def circle(n: int) -> Float[np.ndarray, "node 2"]:
  """Returns the corners of a regular polygon with sides of length 1; a single node is at 0."""
  if n == 1:
    return np.zeros((1, 2))
  turn = np.pi / 2 + 2 * np.pi * np.arange(n) / n
  return np.stack([np.cos(turn), np.sin(turn)], axis=1) / (2 * np.sin(np.pi / n))


def layout(component: Int[np.ndarray, "node"]) -> Float[np.ndarray, "node 2"]:
  """Returns the position of every node. Components are polygons, in rows that fill about a square.

  Args:
    component: number of each node's component, from 0; the largest component first.
  """
  sizes = np.bincount(component)
  shapes = [circle(int(n)) for n in sizes]
  radii = [max(np.linalg.norm(shape, axis=1).max(), 0.3) for shape in shapes]
  width = max(np.sqrt(sum((2 * r + GAP) ** 2 for r in radii)), 2 * max(radii) + GAP)
  positions = np.zeros((len(component), 2))
  x = y = 0.0
  height = 2 * radii[0] + GAP
  for k, (shape, radius) in enumerate(zip(shapes, radii, strict=True)):
    taken = 2 * radius + GAP
    if x + taken > width * 1.001:
      x, y, height = 0.0, y - height, taken
    positions[component == k] = shape + np.array([x + taken / 2, y - height / 2])
    x += taken
  return positions


def draw_graph(
  axes: Axes,
  W: Float[np.ndarray, "hidden feature"],
  component: Int[np.ndarray, "feature"],
  colours: np.ndarray,
) -> Axes:
  """Draws the features of a model; the larger |W_i · W_j|, the darker the edge.

  Args:
    axes: to draw on.
    W: directions of the features to draw.
    component: number of each feature's component, from 0.
    colours: one per feature.
  """
  positions = layout(component)
  overlap = np.abs(W.T @ W)
  first, second = np.triu_indices(len(component), 1)
  shown = (overlap[first, second] > FAINT) & (component[first] == component[second])
  first, second = first[shown], second[shown]
  strength = np.clip(overlap[first, second], 0, 1)
  lines = LineCollection(
    list(np.stack([positions[first], positions[second]], axis=1)),
    colors=[(0.25, 0.25, 0.25, alpha) for alpha in strength],
    linewidths=0.9 * strength,
    zorder=1,
  )
  axes.add_collection(lines)
  axes.scatter(positions[:, 0], positions[:, 1], s=9, c=colours, zorder=2, linewidths=0)
  axes.margins(0.06)
  axes.set_box_aspect(1)
  axes.set_aspect("equal", adjustable="datalim")
  axes.set_axis_off()
  return axes


def draw_names(axes: Axes, colours: Mapping[str, Any]) -> Axes:
  """Draws a legend of names and their colours, six to a row."""
  for name, colour in colours.items():
    axes.plot([], [], "o", color=colour, label=name, markersize=5)
  axes.set_axis_off()
  axes.legend(loc="center", ncols=min(len(colours), 6), fontsize="small")
  return axes
