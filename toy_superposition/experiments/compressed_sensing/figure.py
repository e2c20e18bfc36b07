"""Compressed sensing: features per dimension with their bound, and almost orthogonal vectors."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from toy_superposition.drawing import spread, style
from toy_superposition.experiments.compressed_sensing import theory
from toy_superposition.experiments.compressed_sensing.analysis import LARGEST
from toy_superposition.theory import sensing

if TYPE_CHECKING:
  import xarray as xr

SPREAD = spread.NONE
OURS, BOUND = "#1f4e9c", "#d95f02"


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: F by 1/p, |cos| by the number of vectors, and how many vectors fit."""
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  with style.style():
    figure = style.figure(10.4, 3.3)
    features, cosines, numbers = figure.subplots(1, 3)
    _draw_features(features, dataset)
    features.set_title(f"{n} features in {m} dimensions")
    counts = dataset["vectors"].values
    cosines.plot(counts, dataset["coherence_random"], "x:", color="0.5", label="random")
    cosines.plot(
      counts, dataset["coherence_found"], "o-", color=OURS, ms=4, label="found by search"
    )
    cosines.plot(counts, dataset["coherence_welch"], "--", color=BOUND, label="Welch: none below")
    cosines.set(xlabel="vectors", ylabel="largest |cos|", ylim=(0, 1), title=f"in {m} dimensions")
    cosines.legend(loc="lower right")
    d = dataset["dimensions"].values
    surely = [theory.johnson_lindenstrauss(LARGEST, int(k)) for k in d]
    numbers.semilogy(d, dataset["most_found"], "o-", color=OURS, ms=4, label="found by search")
    numbers.semilogy(d, surely, "--", color=BOUND, label="surely: $e^{dc^2/4}$")
    numbers.set(xlabel="dimensions $d$", ylabel="vectors", title=f"with |cos| ≤ $c$ = {LARGEST:g}")
    numbers.legend(loc="upper left")
    figure.suptitle("What sparsity and geometry allow")
  return figure


def _draw_features(axes, dataset: "xr.Dataset") -> None:
  curve = dataset["features_per_dimension"].sortby("density", ascending=False)
  x = 1 / curve["density"].values
  axes.plot(x, curve, "o-", color=OURS, ms=4, label="trained: $F = \\|W\\|_F^2/m$")
  fine = np.geomspace(1.05, x.max(), 200)
  axes.plot(fine, sensing.sensing_bound(1 / fine), "--", color=BOUND, label="$1/(-p\\,\\ln p)$")
  axes.set(xscale="log", xlabel="$1/(1-S) = 1/p$", ylabel="features per dimension")
  axes.set_ylim(0, 1.4 * float(curve.max()))
  axes.set_xticks([1, 2, 3, 5, 10])
  axes.xaxis.set_major_formatter(ScalarFormatter())
  axes.xaxis.set_minor_formatter(NullFormatter())
  axes.legend(loc="lower right")
