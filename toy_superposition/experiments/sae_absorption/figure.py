"""Agreement of latents and features as matrices, and how much every method absorbs."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.recovery.metrics import assignment, cosines

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} {what}; dashes: their mean; matrices: the first"
MATRICES = 3  # variants whose cosines are drawn


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: above, cosines of latents with features; below, absorption by variant."""
  n_variants = dataset.sizes["variant"]
  shown = np.unique(np.linspace(0, n_variants - 1, MATRICES).astype(int))
  with style.style():
    figure = style.figure(9.6, 6.2)
    parts = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.3, 1))
    above, below = parts[0, 0], parts[1, 0]
    panels = np.ravel(above.subplots(1, len(shown), squeeze=False))
    for axes, i in zip(panels, shown, strict=True):
      one = dataset.isel(variant=i, seed=0)
      cosine = cosines(
        one["W_dec"].transpose("input", "latent").values,
        one["dictionary"].transpose("input", "feature").values,
      )
      latents, features = assignment(cosine)
      order = latents[np.argsort(features)]
      image = axes.imshow(cosine[order], cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
      axes.set(title=str(dataset["variant"].values[i]), xlabel="feature", xticks=[], yticks=[])
    panels[0].set_ylabel("latent, in the order of features")
    above.colorbar(image, ax=panels.tolist(), label="cosine", shrink=0.8)
    axes = below.subplots()
    values = dataset["absorption"].transpose("variant", "seed").values
    place = np.arange(n_variants)
    axes.plot(place, values, "o", color="#1f77b4", markersize=3, alpha=0.5)
    axes.plot(place, values.mean(axis=1), "_", color="black", markersize=16)
    labels = [str(label) for label in dataset["variant"].values]
    axes.set_xticks(place, labels, rotation=12, ha="right")
    axes.set(ylabel="absorption", ylim=(-0.03, 1.03))
    figure.suptitle(
      "Binary features: parents with exclusive children, then lone features; rows of blocks show "
      "what a latent points to"
    )
  return figure
