"""Parts of figures that show the weights of one model: arrows, WᵀW, norms.

Each draws on given Axes and returns them.
"""

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

IMPORTANCE_MAP = "viridis"  # bright is important, as in the paper's notebook
SUPERPOSITION_MAP = "viridis"  # dark is a dedicated direction, yellow a shared one
GRAM_MAP = "RdBu_r"
LIMIT = 1.5  # both axes of a picture of arrows end at ± this


def importance_colours(importance: Float[np.ndarray, "feature"]) -> np.ndarray:
  """Returns a colour per feature, (feature, RGBA); the middle of the scale if all importances are
  equal."""
  low, high = importance.min(), importance.max()
  scaled = (importance - low) / (high - low) if high > low else np.full(len(importance), 0.5)
  return colormaps[IMPORTANCE_MAP](0.9 * scaled)  # the end of the scale is hard to see on white


def draw_arrows(
  axes: Axes, W: Float[np.ndarray, "2 feature"], colours: np.ndarray, limit: float = LIMIT
) -> Axes:
  """Draws each feature's direction in the plane of the two hidden dimensions; both axes end at
  ± `limit`."""
  axes.axhline(0, color="0.85", linewidth=0.6, zorder=0)
  axes.axvline(0, color="0.85", linewidth=0.6, zorder=0)
  for (x, y), colour in zip(W.T, colours, strict=True):
    axes.plot([0, x], [0, y], color=colour, linewidth=1.4)
    axes.plot(x, y, "o", color=colour, markersize=4)
  axes.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[])
  axes.set_aspect("equal")
  for side in axes.spines.values():
    side.set_visible(False)
  return axes


def draw_gram(
  axes: Axes, W: Float[np.ndarray, "hidden feature"], b: Float[np.ndarray, "feature"] | None = None
) -> Axes:
  """Draws WᵀW, blue −1 to red +1, with the bias as a column of its own on the right."""
  n = W.shape[1]
  shown = W.T @ W
  if b is not None:
    shown = np.concatenate([shown, np.full((n, 1), np.nan), b[:, None]], axis=1)
  axes.imshow(shown, cmap=GRAM_MAP, vmin=-1, vmax=1, interpolation="nearest")
  axes.set(xticks=[], yticks=[])
  for side in axes.spines.values():
    side.set_visible(False)
  return axes


def draw_norms(
  axes: Axes,
  norm: Float[np.ndarray, "feature"],
  superposition: Float[np.ndarray, "feature"],
  n_hidden: int | None = None,
) -> Axes:
  """Draws a bar per feature; its length is the norm and its colour the superposition (0 dark, ≥ 1
  yellow). A line follows the first `n_hidden` features, if given."""
  colours = colormaps[SUPERPOSITION_MAP](np.clip(superposition, 0, 1))
  axes.barh(np.arange(len(norm)), np.clip(norm, 0, 1), height=1, color=colours)
  axes.set(xlim=(0, 1), ylim=(len(norm) - 0.5, -0.5), xticks=[], yticks=[])
  if n_hidden is not None:
    axes.axhline(n_hidden - 0.5, color="0.3", linewidth=0.6)
  return axes


def draw_scale(axes: Axes, cmap: str, label: str, low: str, high: str) -> Axes:
  """Draws a vertical colour scale from 0 to 1 with `low` and `high` at its ends."""
  axes.imshow(
    np.linspace(0, 1, 64)[:, None],
    cmap=cmap,
    origin="lower",
    aspect="auto",
    norm=Normalize(0, 1),
    extent=(0, 1, 0, 1),
  )
  axes.set(xticks=[], yticks=[0, 1], yticklabels=[low, high], ylabel=label)
  axes.yaxis.tick_right()
  axes.yaxis.set_label_position("right")
  return axes
