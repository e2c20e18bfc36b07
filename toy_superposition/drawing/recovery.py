"""Scores of sparse autoencoders: one line per method, with the spread over seeds."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from toy_superposition.models.sparse_autoencoders import SPARSE_AUTOENCODERS

if TYPE_CHECKING:
  import xarray as xr

COLOURS = {
  "l1_sae": "#1f77b4",
  "topk_sae": "#d62728",
  "batch_topk_sae": "#ff7f0e",
  "jumprelu_sae": "#2ca02c",
  "gated_sae": "#9467bd",
  "matryoshka_sae": "#8c564b",
  "matching_pursuit_sae": "#e377c2",
}


def over_l0(axes: Axes, dataset: "xr.Dataset", name: str) -> None:
  """Draws a score over the measured L0: a line per method through the means over seeds.

  Bars are one standard deviation; points are hollow where the decoder is frozen.
  """
  models = dataset["variant_model_name"].values
  frozen = dataset["variant_model_frozen_decoder"].values.astype(bool)
  for model, still in dict.fromkeys(zip(models, frozen, strict=True)):
    rows = dataset.isel(variant=np.flatnonzero((models == model) & (frozen == still)))
    l0 = rows["l0"].mean("seed").values
    order = np.argsort(l0)
    score = rows[name].isel(variant=order)
    axes.errorbar(
      l0[order],
      score.mean("seed").values,
      yerr=score.std("seed", ddof=1).values if dataset.sizes["seed"] > 1 else None,
      color=COLOURS[model],
      fmt="o:" if still else "o-",
      markerfacecolor="white" if still else None,
      markersize=4,
      linewidth=1.2,
      capsize=2,
      label=SPARSE_AUTOENCODERS[model].title + (", frozen decoder" if still else ""),
    )
  truth = float(dataset["active"].mean())
  axes.axvline(truth, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
  axes.annotate(
    "true L0",
    (truth, 1),
    xycoords=("data", "axes fraction"),
    ha="left",
    va="bottom",
    color="0.4",
    fontsize="small",
  )
  axes.set(xscale="log", xlabel="L0: latents on in an example")
  axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
  axes.xaxis.set_major_formatter("{x:g}")
  axes.xaxis.set_minor_formatter("")
