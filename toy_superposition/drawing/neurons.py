"""Parts of figures that show neurons: stacks of weights, and circuits from features to features."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D

POSITIVE, NEGATIVE = "#c8432f", "#3566b0"  # signs of weights, of different darkness in grey
EDGE, THIN = 0.35, 0.1  # width of the line between features of a stack, few or many
LEAST = 0.004  # weights below are too thin to be seen


def draw_stacks(
  axes: Axes,
  W: Float[np.ndarray, "neuron feature"],
  colours: np.ndarray,
  signed: bool = True,
  width: float = 0.82,
) -> Axes:
  """Draws a bar per neuron, on which features are stacked by their weights' absolute values.

  Args:
    axes: to draw on.
    W: weights into the neurons.
    colours: of the features.
    signed: whether negative weights go below the axis.
    width: of a bar.
  """
  height = np.abs(W)
  below = (W < 0) & signed
  up = np.cumsum(np.where(below, 0, height), axis=1)
  down = -np.cumsum(np.where(below, height, 0), axis=1)
  # Far ends of each box; the near ones are a weight's height closer to the axis.
  far = np.where(below, down, up)
  near = np.where(below, down + height, up - height)
  neuron, feature = np.nonzero(height > LEAST)
  left, right = neuron - width / 2, neuron + width / 2
  bottom, top = near[neuron, feature], far[neuron, feature]
  corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
  boxes = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)
  edge = EDGE if W.shape[1] <= 20 else THIN
  axes.add_collection(
    PolyCollection(list(boxes), facecolors=colours[feature], edgecolors="white", linewidths=edge)
  )
  if signed:
    axes.axhline(0, color="0.2", linewidth=0.6)
  axes.set(xticks=[], xlim=(-0.7, len(W) - 0.3), ylim=(1.05 * down.min(), 1.05 * up.max()))
  axes.spines["bottom"].set_visible(False)
  return axes


def draw_circuit(
  axes: Axes,
  inputs: Mapping[int, str],
  outputs: Mapping[int, str],
  names: Sequence[str],
  W1: Float[np.ndarray, "neuron feature"],
  W2: Float[np.ndarray, "feature neuron"],
  colours: np.ndarray,
) -> Axes:
  """Draws features, neurons and features again, joined by lines as wide as the weights.

  Args:
    axes: to draw on.
    inputs: feature → label, on the left.
    outputs: feature → label, on the right.
    names: of the neurons, which are the rows of W1 and the columns of W2.
    W1: weights into the neurons; labels of different rows stand at different places.
    W2: weights out of them.
    colours: of all features.
  """
  left = dict(zip(inputs, _places(len(inputs)), strict=True))
  middle = _places(len(names))
  right = dict(zip(outputs, _places(len(outputs)), strict=True))
  for k, y in enumerate(middle):
    for i, start in left.items():
      _join(axes, (0.0, float(start)), (1.0, float(y)), float(W1[k, i]), at=0.22 + 0.16 * (k % 2))
    for j, end in right.items():
      _join(axes, (1.0, float(y)), (2.0, float(end)), float(W2[j, k]), at=0.78 - 0.16 * (k % 2))
    axes.plot(1, y, "s", color="white", markeredgecolor="0.2", markersize=30, zorder=3)
    axes.text(1, y, names[k], ha="center", va="center", fontsize=7.5, zorder=4)
  for x, side, labels in ((0, left, inputs), (2, right, outputs)):
    for i, y in side.items():
      axes.plot(x, y, "o", color=colours[i], markersize=9, zorder=3)
      shift, align = (-0.09, "right") if x == 0 else (0.09, "left")
      axes.text(x + shift, y, labels[i], ha=align, va="center")
  axes.set(xlim=(-0.5, 2.5), ylim=(-0.72, 0.72))
  axes.set_axis_off()
  return axes


def signs() -> list[Line2D]:
  """Returns the legend's entries that say which colour of line is which sign."""
  return [
    Line2D([], [], color=colour, linewidth=2, label=label)
    for colour, label in ((POSITIVE, "weight > 0"), (NEGATIVE, "weight < 0"))
  ]


def _places(count: int) -> np.ndarray:
  return np.linspace(0.5, -0.5, count) if count > 1 else np.zeros(count)


def _join(
  axes: Axes, start: tuple[float, float], end: tuple[float, float], weight: float, at: float
) -> None:
  """Draws a weight as a line; the width grows as its root, so that 1 is seen beside 25."""
  if abs(weight) < 0.05:
    return
  colour = POSITIVE if weight > 0 else NEGATIVE
  width = min(0.5 + 1.3 * abs(weight) ** 0.5, 7)
  x, y = zip(start, end, strict=True)
  axes.plot(x, y, color=colour, linewidth=width, zorder=1, alpha=0.85)
  box = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
  text = f"{weight:.2g}" if abs(weight) < 10 else f"{weight:.0f}"
  place = [a + at * (b - a) for a, b in zip(start, end, strict=True)]
  axes.text(
    place[0], place[1], text, ha="center", va="center", fontsize=7, color=colour, bbox=box, zorder=2
  )
