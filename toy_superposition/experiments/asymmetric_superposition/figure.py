"""The asymmetric superposition motif in the best restart: one circuit per occurrence."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from toy_superposition.drawing import neurons as drawn
from toy_superposition.drawing import spread, style
from toy_superposition.experiments import restarts
from toy_superposition.geometry.neurons import Motif, asymmetric_motifs, primary, rescaled

if TYPE_CHECKING:
  import xarray as xr
  from matplotlib.axes import Axes

SPREAD = spread.BEST
MOST = 4  # circuits drawn, at most


def draw_motif(
  axes: "Axes", motif: Motif, W1: np.ndarray, W2: np.ndarray, colours: np.ndarray
) -> None:
  """Draws the two neurons of one motif with the features that enter and leave them."""
  rows = [motif.neuron, motif.inhibitor]
  guard = int(primary(W1)[motif.inhibitor])
  features = list(dict.fromkeys((guard, motif.first, motif.second)))
  names = [
    f"{'neuron' if k == motif.neuron else 'inhi-'}\n{k if k == motif.neuron else 'bitor'}"
    for k in rows
  ]
  drawn.draw_circuit(
    axes,
    {i: f"$x_{i}$" for i in features},
    {i: f"$|x_{i}|$" for i in features},
    names,
    W1[rows],
    W2[:, rows],
    colours,
  )
  axes.set_title(
    f"neuron {motif.neuron} stores features {motif.first} and {motif.second},\n"
    f"neuron {motif.inhibitor} silences feature {motif.second}"
  )


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: one circuit per motif of the best restart, weights rescaled."""
  best = restarts.best(dataset)
  raw = (best["W1"].values, best["W2"].values)
  motifs = asymmetric_motifs(*raw)
  W1, W2 = rescaled(*raw)
  colours = colormaps["tab10"](np.arange(W1.shape[1]))
  shown = motifs[:MOST]
  with style.style():
    figure = style.figure(3.7 * max(2, len(shown)), 3.5)
    panels = np.ravel(figure.subplots(1, max(2, len(shown)), squeeze=False))
    for axes, motif in zip(panels, shown, strict=False):
      draw_motif(axes, motif, W1, W2, colours)
    for axes in panels[len(shown) :]:
      axes.set_axis_off()
    style.legend_below(figure, handles=drawn.signs(), ncols=2)
    n, m = W1.shape[1], W1.shape[0]
    found = f"{len(motifs)} asymmetric motif{'s' if len(motifs) != 1 else ''}"
    figure.suptitle(f"|x| of {n} features in {m} neurons: {found} in the restart of lowest loss")
  return figure
