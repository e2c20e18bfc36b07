"""Fourth moments of unit columns after Adam and after SGD, among random rotations."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments.optimizer_basis.analysis import z_score

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "lines on the left and dots on the right: {n} {what}; bars: their mean"
NAMES = {"adam": "Adam", "sgd": "SGD with momentum"}
COLOURS = {"adam": "#b0352b", "sgd": "#2a5d9c"}


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: the models' fourth moments among those of random rotations, and their z."""
  z = z_score(dataset)
  names = dataset["optimizer"].values.tolist()
  with style.style():
    figure = style.figure(8.6, 3.2)
    first, second = figure.subplots(1, 2, width_ratios=(1.6, 1))
    random = dataset["rotated_fourth_moment"].values.ravel()
    first.hist(random, bins=60, density=True, color="0.85", label="random rotations")
    for name in names:
      values = np.atleast_1d(dataset["fourth_moment"].sel(optimizer=name).values)
      for k, value in enumerate(values):
        label = NAMES[name] if k == 0 else None
        first.axvline(value, color=COLOURS[name], linewidth=1.2, label=label)
    first.set(xlabel=r"mean over features of $\sum_h \hat{W}_{hi}^4$", ylabel="share per unit")
    first.legend(fontsize="small")
    for k, name in enumerate(names):
      values = np.atleast_1d(z.sel(optimizer=name).values)
      spread = np.linspace(-0.15, 0.15, len(values)) if len(values) > 1 else np.zeros(1)
      second.plot(k + spread, values, "o", color=COLOURS[name], markersize=4)
      second.plot([k - 0.25, k + 0.25], [values.mean()] * 2, color=COLOURS[name])
    second.axhline(0, color="0.6", linewidth=0.8)
    second.set(xlim=(-0.6, len(names) - 0.4), xticks=range(len(names)))
    second.set_xticklabels([NAMES[name] for name in names])
    second.set_ylabel("standard deviations from random (z)")
    n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
    p = float(dataset["feature_density"].values.flat[0])
    figure.suptitle(
      f"Does the optimizer prefer the axes? {n} features in {m} dimensions, $p$ = {p:g}"
    )
  return figure
