"""The angle of the latent between parent and child over the child's probability."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from toy_superposition.drawing import style

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} {what}"
TITLES = {"tree": "child active only with its parent", "independent": "independent features"}
COLOURS = {True: "#1f77b4", False: "#d62728"}
WORDS = {True: "with decoder bias: covariance", False: "without: second moment"}


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: a panel per dependence, points of training on the lines of theory."""
  with style.style():
    figure = style.figure(9.6, 3.6)
    panels = np.ravel(figure.subplots(1, dataset.sizes["activity"], squeeze=False, sharey=True))
    for axes, activity in zip(panels, dataset["activity"].values, strict=True):
      for bias in dataset["bias"].values:
        part = dataset.sel(activity=activity, bias=bias).sortby("child")
        x, colour = part["child"].values, COLOURS[bool(bias)]
        predicted = np.degrees(part["predicted_angle"].isel(seed=0).values)
        axes.plot(x, predicted, color=colour, linewidth=1.2, label=WORDS[bool(bias)])
        firing = part["angle"].where(part["fires"].astype(bool))
        angle = np.degrees(firing.transpose("child", "seed").values)
        axes.plot(x, angle, "o", color=colour, markersize=3, alpha=0.5)
      axes.axhline(45, color="0.6", linewidth=0.7, linestyle="--", zorder=0)
      axes.set(title=TITLES[str(activity)], xlabel="probability of the child over its parent's")
    panels[0].set(ylabel="angle of the latent from the parent (degrees)", ylim=(-2, 50))
    panels[0].text(0.02, 45.5, "half parent, half child", color="0.4", fontsize="small")
    panels[0].legend(loc="lower right", fontsize="small")
    figure.suptitle("One latent for two features; lines: top eigenvector")
  return figure
