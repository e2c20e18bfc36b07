"""Loss and singular values during training, and the features in space at every stage."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.drawing.sets import set_colours
from toy_superposition.experiments import restarts
from toy_superposition.experiments.learning_dynamics_geometry import analysis, theory

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "grey: the losses of all {n} {what}; everything else: the best by loss"
LIMIT = 1.0  # of the axes in space
LETTERS = "ABCDE"  # names of the stages


def marked(model: "xr.Dataset") -> list[int]:
  """Returns the positions of the stored steps that are shown: start, plateau, splitting,
  rearranging, end."""
  at = analysis.stages(model)
  last = model.sizes["step"] - 1
  return sorted({0, *(k for k in (at.plateau, at.splitting, at.rearranging) if k > 0), last})


def draw_loss(axes: Axes, model: "xr.Dataset", others: "xr.Dataset") -> Axes:
  """Draws the loss of one training over those of the others, with two stages' closed forms."""
  p = analysis.density_of(model)
  step = model["step"].values
  curves = others["history_expected_loss"].values.reshape(-1, len(step))
  for curve in curves:
    axes.plot(step[1:], curve[1:], color="0.85", linewidth=0.7)
  axes.plot(step[1:], model["history_expected_loss"][1:], color="black", linewidth=1.3)
  for loss, name in ((theory.plateau_loss(p), "p/18"), (theory.octahedron_loss(p), "p²/6")):
    axes.axhline(loss, color="tab:red", linewidth=0.8, linestyle=":")
    axes.text(1.2, loss * 1.06, name, color="tab:red", fontsize="small")
  axes.set(xscale="log", yscale="log", ylabel="expected loss,\nmean over features")
  return axes


def draw_singular_values(axes: Axes, model: "xr.Dataset") -> Axes:
  """Draws the singular values of W during training."""
  step, values = model["step"].values, model["history_singular_values"].values
  axes.plot(step[1:], values[1:], color="tab:green", linewidth=1.2)
  axes.axhline(2**0.5, color="tab:red", linewidth=0.8, linestyle=":")
  axes.text(1.2, 2**0.5 - 0.17, "√2", color="tab:red", fontsize="small")
  axes.set(xscale="log", xlabel="step", ylabel="singular values of $W$", ylim=(0, 1.6))
  return axes


def draw_space(
  axes, W: Float[np.ndarray, "hidden feature"], colours: Float[np.ndarray, "feature rgba"]
) -> None:
  """Draws features as lines from the origin of three-dimensional axes."""
  for (x, y, z), colour in zip(W.T, colours, strict=True):
    axes.plot([0, x], [0, y], [0, z], color=colour, linewidth=1.5)
    axes.scatter([x], [y], [z], color=[colour], s=18, depthshade=False)
  axes.set(xlim=(-LIMIT, LIMIT), ylim=(-LIMIT, LIMIT), zlim=(-LIMIT, LIMIT))
  axes.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1], zticks=[-1, 0, 1])
  axes.tick_params(labelbottom=False, labelleft=False, labelright=False, labeltop=False)
  axes.set_box_aspect((1, 1, 1))
  axes.view_init(elev=22, azim=35)


def enlarged(W: Float[np.ndarray, "hidden feature"]) -> int:
  """Returns the factor by which short features are drawn longer, so that they are seen: 1 for those
  of at least half the axes' length."""
  longest = float(np.linalg.norm(W, axis=0).max())
  return int(LIMIT / longest) if 0 < longest < LIMIT / 2 else 1


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: curves above, the best restart's weights at each stage below."""
  model = restarts.best(dataset)
  # Rotated, at every step alike, so that the first set ends on the three axes.
  W = model["history_W"].transpose("step", "hidden", "feature").values
  rotation, triangle = np.linalg.qr(W[-1][:, : theory.SET_SIZE])
  W = (rotation * np.sign(np.diag(triangle))).T @ W
  chosen = marked(model)
  colours = set_colours(W.shape[2], theory.SET_SIZE)
  with style.style():
    figure = style.figure(2.3 * len(chosen), 6)
    grid = figure.add_gridspec(3, len(chosen), height_ratios=(1.1, 0.9, 1.7))
    above = figure.add_subplot(grid[0, :])
    middle = figure.add_subplot(grid[1, :], sharex=above)
    draw_loss(above, model, dataset)
    draw_singular_values(middle, model)
    above.tick_params(labelbottom=False)
    for k, (letter, index) in enumerate(zip(LETTERS, chosen, strict=False)):
      step, loss = int(model["step"][index]), float(model["history_expected_loss"][index])
      at = max(step, 1)  # step 0 is not on a logarithmic axis
      for axes in (above, middle):
        axes.axvline(at, color="0.6", linewidth=0.7)
      above.text(
        *(at, 1.02, letter), transform=above.get_xaxis_transform(), ha="center", fontsize="medium"
      )
      space = figure.add_subplot(grid[2, k], projection="3d")
      factor = enlarged(W[index])
      draw_space(space, factor * W[index], colours)
      scaled = f", arrows × {factor}" if factor > 1 else ""
      space.set_title(f"{letter}: step {step}\nloss {loss:.2g}{scaled}")
    p = analysis.density_of(model)
    figure.suptitle(
      f"{W.shape[2]} features in {W.shape[1]} dimensions, two correlated sets of "
      f"{theory.SET_SIZE} (colours), p = {p:g}"
    )
  return figure
