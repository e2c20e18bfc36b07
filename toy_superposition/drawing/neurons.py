"""Parts of figures that show neurons: stacks of weights, and circuits from features to features.

Each draws on given Axes and returns them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from toy_superposition.geometry.definitions import MONOSEMANTIC, is_monosemantic, purity
from toy_superposition.geometry.neurons import primary, rescaled

POSITIVE, NEGATIVE = "#c8432f", "#3566b0"  # signs of weights; they differ in grey too
EDGE, THIN = 0.35, 0.1  # width of the line between the boxes of a stack: at most FEW, or more
FEW = 20  # features
VISIBLE = 0.004  # minimum |w| of a box (exclusive); a smaller one would be too thin to see
# Minimum purity of a neuron (exclusive) → colour of its background and name, from the purest.
CLASSES = (
  (MONOSEMANTIC, "#dcebf7", f"one feature (purity > {MONOSEMANTIC})"),
  (0.6, "#f4f0dc", f"one main feature (0.6 to {MONOSEMANTIC})"),
  (-1.0, "#f7dedb", "several features (< 0.6)"),
)


def in_order(W: Float[np.ndarray, "neuron feature"]) -> Float[np.ndarray, "neuron feature"]:
  """Returns the neurons sorted: monosemantic ones first, then by their primary feature."""
  return W[np.lexsort((primary(W), ~is_monosemantic(W)))]


def by_importance(
  W1: Float[np.ndarray, "neuron feature"],
) -> Float[np.ndarray, "neuron feature"]:
  """Returns the neurons sorted by their primary feature, purer ones first, each rescaled to a
  largest |w| of 1."""
  scaled, _ = rescaled(W1, np.zeros((W1.shape[1], W1.shape[0])))
  return scaled[np.lexsort((-purity(W1), primary(W1)))]


def shade_purity(axes: Axes, W: Float[np.ndarray, "neuron feature"]) -> Axes:
  """Colours the background of each neuron by its purity: one feature, a main one, or several."""
  for neuron, value in enumerate(purity(W)):
    colour = next(colour for minimum, colour, _ in CLASSES if value > minimum)
    axes.axvspan(neuron - 0.5, neuron + 0.5, color=colour, zorder=0, linewidth=0)
  return axes


def purity_classes() -> list[Patch]:
  """Returns the legend's entries for the background of neurons."""
  return [Patch(color=colour, label=name) for _, colour, name in CLASSES]


def draw_stacks(
  axes: Axes,
  W: Float[np.ndarray, "neuron feature"],
  colours: np.ndarray,
  signed: bool = True,
  width: float = 0.82,
) -> Axes:
  """Draws a bar per neuron: a stack of boxes, one per feature, each as high as |w|.

  Args:
    axes: to draw on.
    W: weights into the neurons.
    colours: one per feature.
    signed: whether negative weights go below the axis.
    width: of a bar; neurons are 1 apart.
  """
  height = np.abs(W)
  below = (W < 0) & signed
  up = np.cumsum(np.where(below, 0, height), axis=1)
  down = -np.cumsum(np.where(below, height, 0), axis=1)
  # Ends of each box: `near` is closer to the axis than `far`, by the box's height.
  far = np.where(below, down, up)
  near = np.where(below, down + height, up - height)
  neuron, feature = np.nonzero(height > VISIBLE)
  left, right = neuron - width / 2, neuron + width / 2
  bottom, top = near[neuron, feature], far[neuron, feature]
  corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
  boxes = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)
  edge = EDGE if W.shape[1] <= FEW else THIN
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
  """Draws input features, neurons and output features, joined by lines; the larger |w|, the wider
  the line.

  Args:
    axes: to draw on.
    inputs: feature → label, on the left.
    outputs: feature → label, on the right.
    names: of the neurons, which are the rows of W1 and the columns of W2.
    W1: weights into the neurons.
    W2: weights out of the neurons.
    colours: one per feature of the model.
  """
  left = dict(zip(inputs, _heights(len(inputs)), strict=True))
  middle = _heights(len(names))
  right = dict(zip(outputs, _heights(len(outputs)), strict=True))
  for k, y in enumerate(middle):
    # Labels are near the features, where lines of two neurons do not cross.
    for i, start in left.items():
      _join(axes, (0.0, float(start)), (1.0, float(y)), float(W1[k, i]), at=0.2)
    for j, end in right.items():
      _join(axes, (1.0, float(y)), (2.0, float(end)), float(W2[j, k]), at=0.8)
    axes.plot(1, y, "s", color="white", markeredgecolor="0.2", markersize=30, zorder=3)
    axes.text(1, y, names[k], ha="center", va="center", fontsize="small", zorder=4)
  for x, side, labels in ((0, left, inputs), (2, right, outputs)):
    for i, y in side.items():
      axes.plot(x, y, "o", color=colours[i], markersize=9, zorder=3)
      shift, align = (-0.09, "right") if x == 0 else (0.09, "left")
      axes.text(x + shift, y, labels[i], ha=align, va="center")
  axes.set(xlim=(-0.5, 2.5), ylim=(-0.72, 0.72))
  axes.set_axis_off()
  return axes


def signs() -> list[Line2D]:
  """Returns the legend's entries for the signs of weights."""
  return [
    Line2D([], [], color=colour, linewidth=2, label=label)
    for colour, label in ((POSITIVE, "weight > 0"), (NEGATIVE, "weight < 0"))
  ]


def _heights(count: int) -> np.ndarray:
  return np.linspace(0.5, -0.5, count) if count > 1 else np.zeros(count)


def _join(
  axes: Axes, start: tuple[float, float], end: tuple[float, float], weight: float, at: float
) -> None:
  """Draws a weight as a line, with its value as a label at the share `at` of the way.

  The width grows as the weight's root, so that 1 is visible beside 25.
  """
  if abs(weight) < 0.05:
    return
  colour = POSITIVE if weight > 0 else NEGATIVE
  width = min(0.5 + 1.3 * abs(weight) ** 0.5, 7)
  x, y = zip(start, end, strict=True)
  axes.plot(x, y, color=colour, linewidth=width, zorder=1, alpha=0.85)
  box = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
  text = f"{weight:.2g}" if abs(weight) < 10 else f"{weight:.0f}"
  text_x, text_y = (a + at * (b - a) for a, b in zip(start, end, strict=True))
  axes.text(
    text_x,
    text_y,
    text,
    ha="center",
    va="center",
    fontsize="small",
    color=colour,
    bbox=box,
    zorder=2,
  )
