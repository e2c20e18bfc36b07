"""Shares of seeds that succeed, scores beside chance, and which components features need."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toy_superposition.drawing import style
from toy_superposition.experiments.decomposition_targets.claims import (
  PUBLISHED_SHARE,
  interval,
  is_success,
  of_seeds,
)

if TYPE_CHECKING:
  import xarray as xr

SPREAD = (
  "{n} {what}; dots: those decomposed; bars: 95 % intervals; matrices: 5-2, first seed of each kind"
)
GOOD, BAD = "#1f77b4", "#d62728"
MARGIN = 3  # components beside as many as features that a matrix shows
# Matrices of the smaller target that are shown: of a seed that succeeds, or of one that fails.
PLACES = (
  ("none", "encoder", True),
  ("none", "decoder", True),
  ("identity", "middle", True),
  ("none", "encoder", False),
  ("identity", "encoder", False),
)


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: shares, scores and live components above, importances below."""
  dataset = dataset.sortby("n_features")
  cells = [
    (str(target), str(middle))
    for target in dataset["target"].values
    for middle in dataset["middle"].values
  ]
  labels = [f"{target}\n{'+ identity' if m == 'identity' else ''}" for target, m in cells]
  with style.style():
    figure = style.figure(11.4, 5.7)
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(3, 2)).ravel()
    axes = above.subplots(1, 4)
    _draw_shares(axes[0], dataset, cells)
    for one, name, title in (
      (axes[1], "mmcs", "MMCS of the encoder\n(dashed: random components)"),
      (axes[2], "live_ratio", "norm ratio, live components\n(blue: succeeds, red: fails)"),
    ):
      _draw_scores(one, dataset, cells, name)
      one.set(title=title)
    _draw_numbers(axes[3], dataset, cells)
    for one in axes:
      one.set_xticks(range(len(cells)), labels, fontsize="small")
      one.set_xlim(-0.5, len(cells) - 0.5)
    part = dataset.isel(target=0)
    for one, place in zip(below.subplots(1, len(PLACES)), PLACES, strict=True):
      _draw_importance(one, part, *place)
    figure.suptitle("Stochastic parameter decomposition of trained toy models, p = 0.05")
  return figure


def _draw_shares(axes: Axes, dataset: "xr.Dataset", cells: list[tuple[str, str]]) -> None:
  for k, (target, middle) in enumerate(cells):
    good = is_success(dataset.sel(target=target), middle)
    share, ends = good.mean(), interval(int(good.sum()), good.size)
    axes.plot([k, k], ends, color=GOOD, linewidth=1.2)
    axes.plot(k, share, "o", color=GOOD, markersize=5)
    axes.text(k, -0.13, f"{good.sum()} of {good.size}", ha="center", fontsize="small", color="0.3")
    low, high = PUBLISHED_SHARE[target]
    axes.fill_between([k - 0.4, k + 0.4], low - 0.01, high + 0.01, color="0.75", zorder=0)
  axes.set(ylim=(-0.2, 1.05), title="seeds that succeed\n(grey: authors' code)")


def _draw_scores(
  axes: Axes, dataset: "xr.Dataset", cells: list[tuple[str, str]], name: str
) -> None:
  for k, (target, middle) in enumerate(cells):
    part = dataset.sel(target=target)
    values, good = of_seeds(part, middle)[name].values, is_success(part, middle)
    spread = np.linspace(-0.25, 0.25, len(values)) if len(values) > 1 else np.zeros(1)
    for chosen, colour in ((good, GOOD), (~good, BAD)):
      axes.plot(k + spread[chosen], values[chosen], "o", color=colour, markersize=3)
    if name == "mmcs":
      chance = float(part["random_mmcs"])
      axes.plot([k - 0.4, k + 0.4], [chance, chance], "--", color="0.5", linewidth=1)
  if name != "mmcs":
    axes.axhline(1, color="0.5", linewidth=0.8, linestyle=":")


def _draw_numbers(axes: Axes, dataset: "xr.Dataset", cells: list[tuple[str, str]]) -> None:
  colours = {"encoder": "#1f77b4", "middle": "#2ca02c", "decoder": "#9467bd"}
  for j, (matrix, colour) in enumerate(colours.items()):
    for k, (target, middle) in enumerate(cells):
      part = dataset.sel(target=target)
      values = of_seeds(part, middle, matrix)["n_live"].values
      if not len(values):
        continue
      expected = float(part["n_dimensions" if matrix == "middle" else "n_features"])
      at = k + 0.26 * (j - 1) + np.linspace(-0.08, 0.08, len(values))
      label = matrix if middle == "identity" and k < 2 else None
      axes.plot(at, values / expected, "o", color=colour, markersize=3, label=label)
  axes.axhline(1, color="0.5", linewidth=0.8, linestyle=":")
  axes.set(ylim=(0, None), title="live components\nover expected ones")
  axes.legend(fontsize="small", loc="best")


def _draw_importance(
  axes: Axes, part: "xr.Dataset", middle: str, matrix: str, succeeds: bool
) -> None:
  """Draws the importances of components for single features, of the first seed that succeeds, or
  fails; nothing without such a seed."""
  seeds = np.flatnonzero(is_success(part, middle) == succeeds)
  words = f"{matrix}{' (+ identity)' if middle == 'identity' else ''}"
  axes.set(title=f"{words}\n{'succeeds' if succeeds else 'fails'}", xticks=[], yticks=[])
  if not len(seeds):
    axes.axis("off")
    return
  shown = part["shown_importance"].sel(middle=middle, matrix=matrix).isel(restart=int(seeds[0]))
  n = int(part["n_features"])
  values = shown.transpose("shown_feature", "shown_component").values[:n, : n + MARGIN]
  axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="equal")
  axes.set(xlabel="component", ylabel="feature alone")
