"""The phase diagram: closed forms, true optimum and trained models side by side.

Paper, section "Superposition as a Phase Change". A cell's colour tells the fate of the extra
feature: grey if it is not represented, blue if it has a dimension to itself, red if it is in
superposition, and mixtures in between, by the paper's rule.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.figures import style
from toy_superposition.theory import phase_change as theory

if TYPE_CHECKING:
  import xarray as xr

# Measured on the paper's published figure (red, green, blue, of 255).
ABSENT, DEDICATED, SUPERPOSED = (229, 229, 229), (0, 0, 255), (238, 51, 35)
NORM_LABEL = r"norm $\|W_{\mathrm{extra}}\|$"
SUPERPOSITION_LABEL = r"superposition $\sum_j (\hat{W}_{\mathrm{extra}} \cdot W_j)^2$"


def colour(norm: np.ndarray, superposition: np.ndarray) -> Float[np.ndarray, "... 3"]:
  """Returns red, green and blue in [0, 1]: bilinear in norm and superposition, each clipped
  at 1. A value that is not finite is drawn white."""
  finite = (np.isfinite(norm) & np.isfinite(superposition))[..., None]
  represented = np.clip(np.nan_to_num(norm), 0, 1)[..., None]
  shared = np.clip(np.nan_to_num(superposition), 0, 1)[..., None]
  mixture = (1 - shared) * np.array(DEDICATED) + shared * np.array(SUPERPOSED)
  mixed = (represented * mixture + (1 - represented) * np.array(ABSENT)) / 255
  return np.where(finite, np.clip(mixed, 0, 1), 1.0)  # round-off may leave the interval


def phase_colour(phase: np.ndarray) -> Float[np.ndarray, "... 3"]:
  """Returns the colour of a pure phase."""
  return np.array([ABSENT, DEDICATED, SUPERPOSED])[phase] / 255


def edges(points: np.ndarray) -> np.ndarray:
  """Returns the borders of cells centred, in the logarithm, on the points."""
  logs = np.log(points)
  if len(logs) == 1:
    return np.exp(logs[0] + np.array([-0.5, 0.5]))
  middle = (logs[1:] + logs[:-1]) / 2
  ends = (2 * logs[0] - middle[0], 2 * logs[-1] - middle[-1])
  return np.exp(np.concatenate([ends[:1], middle, ends[1:]]))


def draw_map(axes: Axes, dataset: "xr.Dataset", rgb: np.ndarray, title: str) -> Axes:
  """Draws (relative importance, density) colours as the paper does: r to the right, sparser
  features upwards."""
  x, y = dataset["relative_importance"].values, dataset["density"].values
  axes.pcolormesh(edges(x), edges(y), np.swapaxes(rgb, 0, 1), rasterized=True)
  axes.set(xscale="log", yscale="log", title=title)
  axes.set_xlim(edges(x).min(), edges(x).max())
  axes.set_ylim(edges(y).max(), edges(y).min())
  axes.set_box_aspect(1)
  axes.set_xlabel("relative importance $r$ of the extra feature")
  return axes


def draw_boundary(axes: Axes, n_features: int) -> None:
  """Draws the closed-form boundary within the axes' limits."""
  left, right = axes.get_xlim()
  for r in (np.geomspace(left, 1, 200), np.geomspace(1.0001, right, 200)):
    line = {"color": "white", "linewidth": 2.6, "solid_capstyle": "round"}
    for over in ({}, {"color": "black", "linewidth": 1.2, "linestyle": "--"}):
      axes.plot(r, theory.boundary(r, n_features), **(line | over))
  bottom = axes.get_ylim()[1] if n_features == 3 else theory.TRIPLE_POINT
  for over in ({}, {"color": "black", "linewidth": 1.2, "linestyle": "--"}):
    axes.plot([1, 1], [bottom, axes.get_ylim()[0]], **(line | over))


def draw_legend(axes: Axes) -> None:
  """Draws the colours as a square: norm to the right, superposition upwards."""
  ramp = np.linspace(0, 1, 33)
  axes.imshow(colour(*np.meshgrid(ramp, ramp)), extent=(0, 1, 0, 1), origin="lower")
  axes.set(xlabel=NORM_LABEL, ylabel=SUPERPOSITION_LABEL, xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
  axes.set_title("colour of a cell")
  axes.set_xticklabels(["0", "½", "≥ 1"])
  axes.set_yticklabels(["0", "½", "≥ 1"])
  for text, x, y, shade in (
    ("not repre-\nsented", 0.03, 0.5, "black"),
    ("dedicated", 0.97, 0.06, "white"),
    ("super-\nposition", 0.97, 0.88, "white"),
  ):
    side = "left" if x < 0.5 else "right"
    axes.text(x, y, text, color=shade, ha=side, va="center", fontsize=7.5)


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: theory (where the results hold it), the trained models, the legend."""
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  maps = []
  if "closed_form_phase" in dataset:
    maps.append((phase_colour(dataset["closed_form_phase"].values), "theory: closed forms"))
  for name, title in (
    ("optimum", "theory: true optimum"),
    ("best", "trained: best of {} restarts"),
    ("mean", "trained: mean, worst discarded"),
  ):
    if f"{name}_norm" in dataset:
      rgb = colour(dataset[f"{name}_norm"].values, dataset[f"{name}_superposition"].values)
      maps.append((rgb, title.format(dataset.sizes.get("restart", 1))))
  with style.style():
    figure = Figure(figsize=(2.75 * (len(maps) + 1), 3.3), layout="constrained")
    panels = figure.subplots(1, len(maps) + 1)
    for axes, (rgb, title) in zip(panels, maps, strict=False):
      draw_map(axes, dataset, rgb, title)
      if title.startswith("trained"):
        draw_boundary(axes, n)
    panels[0].set_ylabel("density $p = 1 - S$  (sparser ↑)")
    draw_legend(panels[-1])
    figure.suptitle(f"Fate of the extra feature: {n} features in {m} hidden dimension{'s'[:m - 1]}")
  return figure
