"""Phase maps: the extra feature's phase over the plane of relative importance and density.

Paper, section "Superposition as a Phase Change". By the paper's colour rule the map is grey where
the feature is not represented, blue where it has a dimension to itself, and red where it is in
superposition.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from toy_superposition.drawing import style
from toy_superposition.errors import UserError
from toy_superposition.theory import phase_change as theory

if TYPE_CHECKING:
  import xarray as xr

# Measured on the paper's published figure (red, green, blue, of 255).
ABSENT, DEDICATED, SUPERPOSED = (229, 229, 229), (0, 0, 255), (238, 51, 35)
PLANE = ("relative_importance", "density")  # axes of a map, to the right and upwards
NORM_LABEL = r"norm $\|W_{\mathrm{extra}}\|$"
SUPERPOSITION_LABEL = (
  r"superposition $\Sigma_{j \neq \mathrm{extra}}\,(\hat{W}_{\mathrm{extra}} \cdot W_j)^2$"
)


def colour(norm: np.ndarray, superposition: np.ndarray) -> Float[np.ndarray, "... 3"]:
  """Returns red, green and blue in [0, 1]: bilinear in norm and superposition, each clipped at 1;
  white where either is not finite."""
  finite = (np.isfinite(norm) & np.isfinite(superposition))[..., None]
  represented = np.clip(np.nan_to_num(norm), 0, 1)[..., None]
  shared = np.clip(np.nan_to_num(superposition), 0, 1)[..., None]
  mixture = (1 - shared) * np.array(DEDICATED) + shared * np.array(SUPERPOSED)
  mixed = (represented * mixture + (1 - represented) * np.array(ABSENT)) / 255
  return np.where(finite, np.clip(mixed, 0, 1), 1.0)  # round-off may leave the interval


def phase_colour(phase: np.ndarray) -> Float[np.ndarray, "... 3"]:
  """Returns red, green and blue in [0, 1] of theory.phase_change.Phase."""
  return np.array([ABSENT, DEDICATED, SUPERPOSED])[phase] / 255


def edges(points: np.ndarray) -> np.ndarray:
  """Returns the edges of the cells centred on the points on a logarithmic scale: one edge more than
  points."""
  logs = np.log(points)
  if len(logs) == 1:
    return np.exp(logs[0] + np.array([-0.5, 0.5]))
  middle = (logs[1:] + logs[:-1]) / 2
  ends = (2 * logs[0] - middle[0], 2 * logs[-1] - middle[-1])
  return np.exp(np.concatenate([ends[:1], middle, ends[1:]]))


def phase_map(
  norm: "xr.DataArray", superposition: "xr.DataArray", axes: Axes | None = None
) -> Axes:
  """Draws a feature's phase over the plane of relative importance and density: grey where it is not
  represented, blue where it has a dimension to itself, red where it is in superposition.

  Args:
    norm: ‖W_i‖ of the feature, with the axes relative_importance and density only.
    superposition: Σ_{j≠i} (Ŵ_i · W_j)² of the feature, with the same axes.
    axes: to draw on; by default those of a new pyplot figure.

  Raises:
    UserError: the arrays have other axes.
  """
  for array in (norm, superposition):
    dims = getattr(array, "dims", ())
    if set(dims) != set(PLANE):
      raise UserError(f"a phase map has the axes {PLANE}, and this array has {dims}")
  rgb = colour(norm.transpose(*PLANE).values, superposition.transpose(*PLANE).values)
  axes = draw_map(style.given(axes), norm, rgb)
  axes.set_ylabel("density $p = 1 - S$")
  return axes


def draw_map(axes: Axes, plane: "xr.Dataset | xr.DataArray", rgb: np.ndarray) -> Axes:
  """Draws colours, (relative importance, density, RGB), as the paper does: r to the right, dense
  features at the top. `plane` has the coordinates."""
  x, y = (plane[name].values for name in PLANE)
  axes.pcolormesh(edges(x), edges(y), np.swapaxes(rgb, 0, 1), rasterized=True)
  axes.set(xscale="log", yscale="log", xlabel="relative importance $r$")
  axes.set_xlim(edges(x).min(), edges(x).max())
  axes.set_ylim(edges(y).min(), edges(y).max())
  axes.set_box_aspect(1)
  return axes


def draw_boundary(axes: Axes, n_features: int) -> None:
  """Draws the closed-form boundary of superposition within the axes' limits.

  For n = 3 a thin dotted line at p = 4/7 also shows where the two other features begin to share a
  dimension.
  """
  (left, right), top = axes.get_xlim(), axes.get_ylim()[1]
  r = np.geomspace(left, right, 400)
  curves = [(side, theory.boundary(side, n_features)) for side in (r[r <= 1], r[r > 1])]
  if left < 1 < right:
    bottom = theory.TRIPLE_POINT if n_features == 2 else axes.get_ylim()[0]
    curves.append((np.ones(2), np.array([bottom, top])))
  for x, y in curves:
    axes.plot(x, y, color="white", linewidth=2.6, solid_capstyle="round")
    axes.plot(x, y, color="black", linewidth=1.2, linestyle="--")
  if n_features == 3 and right > 1:
    ends = np.array([max(1, left), right])
    axes.plot(ends, np.full(2, theory.TRIPLE_POINT), color="white", linewidth=1, linestyle=":")


def label_phases(axes: Axes, dataset: "xr.Dataset") -> None:
  """Writes each phase's name in the middle of its closed-form region, for print without colour."""
  phase = dataset["closed_form_phase"].values
  r, p = np.meshgrid(dataset["relative_importance"], dataset["density"], indexing="ij")
  for number, name, shade in (
    (theory.Phase.NOT_REPRESENTED, "not repre-\nsented", "black"),
    (theory.Phase.DEDICATED, "dedicated", "white"),
    (theory.Phase.SUPERPOSITION, "superposition", "white"),
  ):
    inside = phase == number
    if inside.mean() > 0.05:  # room for the word
      x, y = np.exp(np.log(r[inside]).mean()), np.exp(np.log(p[inside]).mean())
      axes.text(x, y, name, color=shade, ha="center", va="center", fontsize="small")


def draw_legend(axes: Axes) -> None:
  """Draws the legend, a square of colours: norm to the right, superposition upwards."""
  ramp = np.linspace(0, 1, 33)
  axes.imshow(
    colour(*np.meshgrid(ramp, ramp)), extent=(0, 1, 0, 1), origin="lower", interpolation="bilinear"
  )
  axes.set(xlabel=NORM_LABEL, ylabel=SUPERPOSITION_LABEL, xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
  axes.set_title("the extra feature's colour")
  axes.set_xticklabels(["0", "½", "≥1"])
  axes.set_yticklabels(["0", "½", "≥1"])
  for text, x, y, shade in (
    ("not repre-\nsented", 0.03, 0.5, "black"),
    ("dedicated", 0.97, 0.06, "white"),
    ("super-\nposition", 0.97, 0.88, "white"),
  ):
    side = "left" if x < 0.5 else "right"
    axes.text(x, y, text, color=shade, ha=side, va="center", fontsize="small")
