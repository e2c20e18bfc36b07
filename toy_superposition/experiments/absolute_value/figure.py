"""Computing |x|: neurons as stacks of the features that enter them, weights rescaled."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from toy_superposition.drawing import neurons as drawn
from toy_superposition.drawing import style, weights
from toy_superposition.experiments import restarts
from toy_superposition.geometry import neurons

if TYPE_CHECKING:
  import xarray as xr
  from matplotlib.axes import Axes

# Least purity → colour of the background and name, from the purest.
CLASSES = (
  (neurons.MONOSEMANTIC, "#dcebf7", "one feature (purity > 0.9)"),
  (0.6, "#f4f0dc", "one main feature (0.6 to 0.9)"),
  (-1.0, "#f7dedb", "several features (< 0.6)"),
)


def in_order(W1: np.ndarray) -> np.ndarray:
  """Returns the rescaled neurons, those of important features first."""
  scaled, _ = neurons.rescaled(W1, np.zeros((W1.shape[1], W1.shape[0])))
  return scaled[np.lexsort((-neurons.purity(W1), neurons.primary(W1)))]


def shade(axes: "Axes", W: np.ndarray) -> None:
  """Colours the background of each neuron by how many features it stands for."""
  for k, value in enumerate(neurons.purity(W)):
    colour = next(colour for least, colour, _ in CLASSES if value > least)
    axes.axvspan(k - 0.5, k + 0.5, color=colour, zorder=0, linewidth=0)


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: a panel per density, dense first."""
  best = restarts.best(dataset)
  if "density" not in best.dims:
    best = best.expand_dims("density")
  best = best.sortby("density", ascending=False)
  n, m = best.sizes["feature"], best.sizes["hidden"]
  few = n <= 10
  n_rows = best.sizes["density"]
  with style.style():
    size = (5.4, 3.2) if few else (9.5, 1.35 * n_rows + 1.0)
    figure = Figure(figsize=size, layout="constrained")
    panels = np.ravel(figure.subplots(n_rows, 1, squeeze=False))
    for axes, k in zip(panels, range(n_rows), strict=True):
      cell = best.isel(density=k)
      W = in_order(cell["W1"].transpose("hidden", "feature").values)
      shade(axes, W)
      overlap = np.clip(cell["superposition"].values, 0, 1)
      colours = colormaps[weights.SUPERPOSITION_MAP](overlap)
      if few:
        colours = colormaps["tab10"](np.arange(n))
      drawn.draw_stacks(axes, W, colours, signed=few)
      p, count = float(cell["feature_density"][0]), neurons.monosemantic(W)
      axes.set_title(f"$p$ = {p:.3g}: {count} of {m} neurons stand for one feature", loc="left")
      axes.set_ylabel("$W_1$" if few else "$|W_1|$")
    panels[-1].set_xlabel("neurons, by the importance of their largest feature")
    _legend(figure, n if few else 0)
    figure.suptitle(f"|x| of {n} features in {m} neurons (each neuron's largest weight set to 1)")
  return figure


def _legend(figure: Figure, n_features: int) -> None:
  """Says what colours mean: single features where they are few, superposition otherwise."""
  handles = [Patch(color=colour, label=name) for _, colour, name in CLASSES]
  if n_features:
    shades = colormaps["tab10"](np.arange(n_features))
    handles += [Patch(color=shades[i], label=f"feature {i}") for i in range(n_features)]
  else:
    values = (0, 0.5, 1)
    names = ("superposition 0: alone in its direction", "superposition 0.5", "superposition ≥ 1")
    shades = colormaps[weights.SUPERPOSITION_MAP](np.array(values))
    handles += [Patch(color=c, label=name) for c, name in zip(shades, names, strict=True)]
  figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8)
