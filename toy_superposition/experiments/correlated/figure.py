"""The five best models of features in sets, or independent ones: arrows in one colour per set."""

import json
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from toy_superposition.drawing import plots, style
from toy_superposition.drawing.sets import set_colours
from toy_superposition.experiments import restarts

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "losses of all {n} {what}: {low} to {high}"
SHOWN = 5  # models, as in the paper
NAMES = {"correlated_sets": "correlated", "anticorrelated_sets": "anticorrelated"}


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: the best restarts from left to right."""
  if "restart" not in dataset.dims:
    dataset = dataset.expand_dims("restart")
  values = json.loads(dataset.attrs["config"])
  n, size = dataset.sizes["feature"], values["data.set_size"]
  ranked = dataset.isel(restart=np.argsort(restarts.ranked_loss(dataset).values))
  n_shown = min(SHOWN, dataset.sizes["restart"])
  with style.style():
    figure = style.figure(1.9 * n_shown, 2.75)
    for k, axes in enumerate(figure.subplots(1, n_shown, squeeze=False)[0]):
      model = ranked.isel(restart=k)
      plots.arrows(model, axes, colours=set_colours(n, size), limit=1.25)
      axes.set_title(f"restart {int(model['restart'])}\nloss {float(model['loss']):.2g}")
    p = float(dataset["feature_density"].values.flat[0])
    subject = f"{n} independent features"
    if size > 1:
      subject = f"{n} features in {n // size} {NAMES[values['data.distribution']]} sets of {size}"
    figure.suptitle(
      f"{subject}, p = {p:g}: the best {n_shown} of {dataset.sizes['restart']} restarts"
    )
  return figure
