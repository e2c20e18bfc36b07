"""The objective of trained autoencoders of a circle over the number of latents, with its bound."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments.sae_manifold.theory import bound, limit

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} {what}"


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: the objective of every restart, and its distance from the limit."""
  latents = dataset["latents"].values
  penalty = float(dataset["penalty"].values.flat[0])
  with style.style():
    figure = style.figure(9.6, 3.8)
    left, right = figure.subplots(1, 2)
    line = np.arange(3, max(latents) + 1)
    values = [bound(int(k), penalty) for k in line]
    left.plot(line, values, color="#1f77b4", linewidth=1.2, label="best code of even directions")
    objective = dataset["objective"].transpose("latents", "restart").values
    left.plot(latents, objective, "o", color="#d62728", markersize=3, alpha=0.6)
    left.plot([], [], "o", color="#d62728", markersize=3, label="trained restarts")
    left.axhline(limit(penalty), color="0.5", linewidth=0.8, linestyle="--")
    left.text(line[-1], limit(penalty), r"$\lambda-\lambda^2/4$", ha="right", va="top", color="0.4")
    left.set(xlabel="latents", ylabel="E ‖s − ŝ‖² + λ Σ h")
    left.legend(fontsize="small")
    excess = np.array(values) - limit(penalty)
    right.plot(line, excess, color="#1f77b4", linewidth=1.2)
    right.plot(latents, objective - limit(penalty), "o", color="#d62728", markersize=3, alpha=0.6)
    slope = excess[0] * (line[0] / line) ** 2
    right.plot(line, slope, color="0.6", linewidth=0.8, linestyle=":", label="∝ latents⁻²")
    right.set(
      xscale="log", yscale="log", xlabel="latents", ylabel="above the limit of infinitely many"
    )
    right.legend(fontsize="small")
    figure.suptitle(
      f"Sparse autoencoders of a unit circle in two dimensions, penalty λ = {penalty:g}"
    )
  return figure
