"""Parts of the loss: benefit against interference, and shares by number of active features."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import spread, style
from toy_superposition.experiments.feature_benefit.analysis import LINEAR, RELU

if TYPE_CHECKING:
  import xarray as xr

SPREAD = spread.BEST
TERMS = {"benefit": "feature benefit", "interference": "interference"}


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: both models' two terms, the parts of the loss, and minimum energies."""
  dataset = dataset.sortby("density", ascending=False)
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  with style.style():
    figure = style.figure(12.6, 3.3)
    panels = figure.subplots(1, 4)
    top = float(max(dataset[name].max() for name in TERMS)) * 1.08
    for axes, model, title in ((panels[0], LINEAR, "linear"), (panels[1], RELU, "ReLU")):
      _draw_terms(axes, dataset.sel(model=model), f"{title} model's weights", top)
    _draw_parts(panels[2], dataset)
    _draw_energies(panels[3], dataset)
    figure.suptitle(f"Parts of the loss: {n} features in {m} dimensions")
  return figure


def _sparsity(axes: Axes, dataset: "xr.Dataset") -> np.ndarray:
  """Labels the horizontal axis; returns 1/(1 − S)."""
  x = 1 / dataset["density"].values
  axes.set(xscale="log", xlabel="1 / (1 − S)", xlim=(x.min(), x.max()))
  return x


def _draw_terms(axes: Axes, model: "xr.Dataset", title: str, top: float) -> None:
  x = _sparsity(axes, model)
  for k, (name, label) in enumerate(TERMS.items()):
    axes.plot(x, model[name].values, "o-", color=f"C{k}", label=label, markersize=3)
  axes.set(title=title, ylim=(-0.03 * top, top), ylabel="loss / variance of a feature")
  axes.legend(fontsize="small")


def _draw_parts(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws each part's share of the ReLU model's loss, stacked."""
  x = _sparsity(axes, dataset)
  terms = dataset["sparse_terms"].transpose("n_active", "density").values
  n = len(terms) - 1
  colours = colormaps["viridis"](np.linspace(0, 0.95, n + 1))
  axes.stackplot(x, terms / terms.sum(axis=0), colors=colours, labels=list(map(str, range(n + 1))))
  axes.set(title="ReLU model's loss by active features", ylim=(0, 1), ylabel="share of the loss")
  handles, labels = axes.get_legend_handles_labels()
  axes.legend(
    handles[::-1],
    labels[::-1],
    title="active",
    fontsize="small",
    title_fontsize="small",
    loc="upper left",
    bbox_to_anchor=(1, 1),
  )


def _draw_energies(axes: Axes, dataset: "xr.Dataset") -> None:
  names, values = dataset["arrangement"].values, dataset["least_energy"].values
  bars = axes.bar(np.arange(len(names)), values, color="C0", width=0.7)
  axes.bar_label(bars, labels=[f"{max(value, 0):.2f}" for value in values], fontsize="small")
  axes.set_xticks(np.arange(len(names)), labels=names, rotation=35, ha="right")
  axes.set(title="unit vectors without bias", ylabel=r"minimum $\Sigma\,\mathrm{ReLU}(\cos)^2$")
