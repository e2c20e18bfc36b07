"""Selectable sets over dimensions, where codes lose nothing, and left-out combinations."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from toy_superposition.drawing import style
from toy_superposition.experiments.composition import theory

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots: {n} {what}; maps: the best of them"
COLOURS = {"objects": "#1f77b4", "attributes": "#d62728"}
WORDS = {
  "objects": "one of n",
  "attributes": "one of\neach half",
  "any_two": "any two",
  "any_three": "any three",
}
FIXED = {
  "local": "a neuron per object",
  "compositional": "a neuron per colour and shape",
  "dense": "four bits",
  "mixed": "two squares",
  "ring": "ring",
}
ABOVE = {"local": -1, "compositional": 1, "dense": 1, "mixed": -1, "ring": -1}  # place of the label
LEAST, MOST = 1e-6, 1.0  # unexplained shares of the maps' colours


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: selectable sets, a map per m, and left-out combinations."""
  hidden = sorted(dataset["m"].values.tolist())
  with style.style():
    figure = style.figure(6.6 + 1.9 * len(hidden), 3.8)
    widths = [3.0, *[1.5] * len(hidden), 1.8]
    panels = figure.subplots(1, len(widths), width_ratios=widths)
    _draw_selectable(panels[0], dataset)
    for axes, m in zip(panels[1:-1], hidden, strict=True):
      picture = _draw_map(axes, dataset.sel(m=m))
      axes.set_title(f"m = {m}")
    panels[1].set_ylabel("features n")
    figure.colorbar(picture, ax=list(panels[1:-1]), label="unexplained share", shrink=0.8)
    _draw_held_out(panels[-1], dataset)
    figure.suptitle("What a linear unit selects, and what a tied ReLU model loses (boxes: nothing)")
  return figure


def _draw_selectable(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws numbers of selectable sets of fixed and trained codes under Cover's bound."""
  line = np.arange(1, theory.OBJECTS + 1)
  axes.plot(line, [theory.cover(theory.OBJECTS, int(m)) for m in line], color="0.4", linewidth=1)
  axes.text(7, 40_000, "Cover's bound", color="0.4", fontsize="small", ha="right")
  first = dataset.isel(n=0, m=0)
  for name in first["fixed"].values:
    one = first.sel(fixed=name)
    x, y = float(one["fixed_dimensions"]), float(one["fixed_selectable"])
    axes.plot(x, y, "s", color="black", markersize=4)
    right = x > 12
    axes.annotate(
      FIXED[str(name)],
      (x, y),
      (-4 if right else 5, 7 * ABOVE[str(name)]),
      textcoords="offset points",
      fontsize="small",
      va="center",
      ha="right" if right else "left",
    )
  for code, shift in (("objects", -0.18), ("attributes", 0.18)):
    if code not in dataset["code"].values:
      continue
    part = dataset["selectable"].sel(code=code).stack(each=("n", "restart"))
    for m in part["m"].values:
      each = part.sel(m=m).dropna("each").values
      label = f"trained, {code}" if m == part["m"].values[0] else None
      at = np.full(each.shape, m + shift)
      axes.plot(at, each, "o", color=COLOURS[code], markersize=3, alpha=0.5, label=label)
  axes.set_xticks(range(2, 17, 2))
  axes.set(yscale="log", ylim=(25, 1.5e5), xlabel="dimensions of the code")
  axes.set_ylabel("selectable sets of 16 objects")
  axes.legend(fontsize="small", loc="lower right")


def _draw_map(axes: Axes, part: "xr.Dataset"):
  """Draws the best unexplained share of every code and n, with boxes where theory has none."""
  best = part["fvu"].min("restart").transpose("n", "code")
  exists = part["loses_nothing"].transpose("n", "code").values
  norm = LogNorm(LEAST, MOST)
  picture = axes.imshow(
    np.clip(best.values, LEAST, MOST), cmap="viridis_r", norm=norm, origin="lower", aspect="auto"
  )
  for i, j in np.argwhere(exists):
    box = Rectangle(
      (j - 0.42, i - 0.42), 0.84, 0.84, fill=False, edgecolor="#d62728", linewidth=1.5
    )
    axes.add_patch(box)
  codes = [WORDS[str(name)] for name in best["code"].values]
  axes.set_xticks(range(len(codes)), codes, fontsize="x-small", rotation=60)
  axes.set_yticks(range(best.sizes["n"]), best["n"].values)
  return picture


def _draw_held_out(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws the share of left-out combinations that each training decodes, over m."""
  chance = 1 / theory.OBJECTS
  axes.axhline(chance, color="0.5", linewidth=0.8, linestyle="--")
  axes.text(float(dataset["m"].max()) + 0.3, chance + 0.02, "chance", color="0.4", ha="right")
  for code, shift in (("objects", -0.12), ("attributes", 0.12)):
    if code not in dataset["code"].values:
      continue
    part = dataset["held_out_right"].sel(code=code).stack(each=("n", "restart"))
    for m in sorted(part["m"].values):
      y = part.sel(m=m).dropna("each").values
      jitter = np.linspace(-0.08, 0.08, max(1, y.size))[: y.size]
      axes.plot(m + shift + jitter, y, "o", color=COLOURS[code], markersize=3, alpha=0.5)
      if y.size:
        axes.plot(m + shift, y.mean(), "_", color=COLOURS[code], markersize=12)
  axes.set(ylim=(-0.04, 1.04), xlabel="hidden dimensions m", title="left-out combinations")
  axes.set_ylabel("share decoded")
  axes.set_xticks(sorted(dataset["m"].values))
