"""Parts of figures that show neurons: stacks of weights, and circuits from features to features."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

POSITIVE, NEGATIVE = "#c8432f", "#3566b0"  # signs of weights, readable in grey as well
EDGE = 0.35  # width of the line between features of a stack


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
  n_neurons, n_features = W.shape
  place = np.arange(n_neurons)
  up, down = np.zeros(n_neurons), np.zeros(n_neurons)
  for i in range(n_features):
    height = np.abs(W[:, i])
    below = (W[:, i] < 0) & signed
    bottom = np.where(below, -down - height, up)
    axes.bar(
      place, height, width, bottom, color=colours[i], edgecolor="white", linewidth=EDGE
    )
    up, down = up + np.where(below, 0, height), down + np.where(below, height, 0)
  if signed:
    axes.axhline(0, color="0.2", linewidth=0.6)
  axes.set(xticks=[], xlim=(-0.6, n_neurons - 0.4))
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
    W1: weights into the neurons; drawn where above a twentieth of the largest.
    W2: weights out of them.
    colours: of all features.
  """
  left = dict(zip(inputs, _places(len(inputs)), strict=True))
  middle = _places(len(names))
  right = dict(zip(outputs, _places(len(outputs)), strict=True))
  for k, y in enumerate(middle):
    for i, start in left.items():
      _join(axes, (0, start), (1, y), W1[k, i], np.abs(W1[:, list(left)]).max(), at=0.38)
    for j, end in right.items():
      _join(axes, (1, y), (2, end), W2[j, k], np.abs(W2[list(right)]).max(), at=0.62)
    axes.plot(1, y, "s", color="white", markeredgecolor="0.2", markersize=20, zorder=3)
    axes.text(1, y, names[k], ha="center", va="center", fontsize=7.5, zorder=4)
  for x, side, labels in ((0, left, inputs), (2, right, outputs)):
    for i, y in side.items():
      axes.plot(x, y, "o", color=colours[i], markersize=9, zorder=3)
      shift, align = (-0.09, "right") if x == 0 else (0.09, "left")
      axes.text(x + shift, y, labels[i], ha=align, va="center")
  axes.set(xlim=(-0.45, 2.45), ylim=(-0.75, 0.75))
  axes.set_axis_off()
  return axes


def sign_legend(axes: Axes) -> None:
  """Says which colour of line is which sign."""
  lines = [
    Line2D([], [], color=colour, linewidth=2, label=label)
    for colour, label in ((POSITIVE, "weight > 0"), (NEGATIVE, "weight < 0"))
  ]
  axes.legend(handles=lines, loc="lower center", ncols=2, bbox_to_anchor=(0.5, -0.12), fontsize=8)


def _places(count: int) -> np.ndarray:
  return np.linspace(0.5, -0.5, count) if count > 1 else np.zeros(count)


def _join(axes: Axes, start, end, weight: float, largest: float, at: float) -> None:
  """Draws a weight as a line; the width grows as its root, so that 1 is seen beside 25."""
  if abs(weight) < 0.05 * max(1.0, largest / 25):
    return
  colour = POSITIVE if weight > 0 else NEGATIVE
  width = 0.6 + 4.5 * (abs(weight) / largest) ** 0.5
  axes.plot(*zip(start, end, strict=True), color=colour, linewidth=width, zorder=1, alpha=0.85)
  x, y = (a + at * (b - a) for a, b in zip(start, end, strict=True))
  box = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
  text = f"{weight:.2g}" if abs(weight) < 10 else f"{weight:.0f}"
  axes.text(x, y, text, ha="center", va="center", fontsize=7, color=colour, bbox=box, zorder=2)
