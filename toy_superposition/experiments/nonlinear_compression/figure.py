"""A nonlinear code for two features: its functions, and its error by the width of its ramps."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from toy_superposition.drawing import spread, style
from toy_superposition.experiments.nonlinear_compression import theory

if TYPE_CHECKING:
  import xarray as xr

SPREAD = spread.NONE
SHOWN, WIDTH = 3, 0.1  # Z and the ramps' width in the drawings of the code


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: encoder and decoder of one code, and the errors of all codes."""
  ramp = np.linspace(0, 1, 601)
  with style.style():
    figure = style.figure(10.2, 3.3)
    encoder, decoder, errors = figure.subplots(1, 3)
    for k, y in enumerate((0.1, 0.5, 0.9)):
      t = theory.encode(ramp, np.full_like(ramp, y), SHOWN, WIDTH)
      encoder.plot(ramp, t, color=colormaps["viridis"](0.1 + 0.35 * k), label=f"$y$ = {y:g}")
    encoder.set(xlabel="$x$", ylabel="code $t$", title="encoder", xlim=(0, 1), ylim=(0, 1))
    encoder.legend()
    x_decoded, y_decoded = theory.decode(ramp, SHOWN, WIDTH)
    decoder.plot(ramp, x_decoded, color="#1f4e9c", label="$x′$")
    decoder.plot(ramp, y_decoded, color="#d95f02", label="$y′$")
    decoder.set(xlabel="code $t$", ylabel="decoded", title="decoder", xlim=(0, 1), ylim=(0, 1))
    decoder.legend(loc="upper left")
    _draw_errors(errors, dataset)
    figure.suptitle(
      rf"Two uniform features in one number: $Z$ = {SHOWN}, ramps of width $\epsilon$ = {WIDTH:g}"
    )
  return figure


def _draw_errors(axes, dataset: "xr.Dataset") -> None:
  error = dataset["code_error"]
  for k, n_steps in enumerate(error["steps"].values):
    shade = colormaps["plasma"](0.85 * k / max(1, error.sizes["steps"] - 1))
    label = f"$Z$ = {n_steps}"
    axes.plot(error["width"], error.sel(steps=n_steps), "o-", color=shade, ms=3, label=label)
  linear = float(dataset["linear_error"])
  axes.axhline(linear, color="black", linewidth=1, linestyle="--", label="best linear, 1/12")
  axes.set(
    xlabel=r"width $\epsilon$ of the ramps", ylabel="squared error, sum over both", title="error"
  )
  axes.set_ylim(0, None)
  axes.legend(loc="lower right", fontsize="small", labelspacing=0.3)
