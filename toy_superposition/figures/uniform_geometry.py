"""Uniform superposition: D* over density, the dimensionality of every feature, and their graphs."""

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure

from toy_superposition.analyses.uniform_geometry import KINDS, with_restarts
from toy_superposition.figures import graphs, style

if TYPE_CHECKING:
  import xarray as xr

GRAPHS_AT = (1.27, 1.68, 2.83, 4.3, 4.97, 9.2)  # 1/(1 − S), as in the paper
GUIDES = {
  "1": 1.0,
  "3/4  tetrahedron": 3 / 4,
  "2/3  triangle": 2 / 3,
  "1/2  digon": 1 / 2,
  "2/5  pentagon": 2 / 5,
  "3/8  square antiprism": 3 / 8,
  "0  not represented": 0.0,
}
UNKNOWN = "0.65"
# The paper's kinds get the colours that differ most; the rest follow.
MAIN = ("digon", "triangle", "tetrahedron", "pentagon", "square antiprism", "dedicated")
_ORDER = (*MAIN, *(kind for kind in KINDS[:-1] if kind not in MAIN))
COLOURS: dict[str, Any] = {
  kind: colormaps["tab10"](k) if k < 7 else colormaps["tab20b"](k - 7)
  for k, kind in enumerate(_ORDER)
} | {KINDS[-1]: UNKNOWN}


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: the line, the scatter below it, and six graphs."""
  dataset = with_restarts(dataset)
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  with style.style():
    figure = Figure(figsize=(10.5, 9.6), layout="constrained")
    grid = figure.add_gridspec(4, 1, height_ratios=(1, 1.9, 1.15, 0.2))
    line = figure.add_subplot(grid[0])
    _draw_line(line, dataset)
    _draw_scatter(figure.add_subplot(grid[1], sharex=line), dataset)
    panels = grid[2].subgridspec(1, len(GRAPHS_AT))
    shown: set[str] = set()
    for k, x in enumerate(GRAPHS_AT):
      shown |= _draw_graph(figure.add_subplot(panels[k]), dataset, x)
    names = {kind: COLOURS[kind] for kind in (*_ORDER, KINDS[-1]) if kind in shown}
    graphs.draw_names(figure.add_subplot(grid[3]), names)
    figure.suptitle(f"{n} equally important features in {m} dimensions")
  return figure


def _draw_line(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws D*: the mean over seeds, and their range behind it."""
  x = 1 / dataset["density"].values
  each = dataset["dimensions_per_feature"].values
  axes.fill_between(x, each.min(axis=1), each.max(axis=1), color="C0", alpha=0.25, linewidth=0)
  axes.plot(x, each.mean(axis=1), color="C0", linewidth=1.4)
  for height in (1, 0.5):
    axes.axhline(height, color="0.7", linewidth=0.6, linestyle=":", zorder=0)
  axes.set(xscale="log", ylim=(0, 1.1), ylabel=r"$D^* = m\,/\,\|W\|_F^2$")
  n_seeds = dataset.sizes["restart"]
  axes.set_title(
    "hidden dimensions per feature" + (f" (range over {n_seeds} seeds)" if n_seeds > 1 else "")
  )
  axes.tick_params(labelbottom=False)


def _draw_scatter(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws every feature's dimensionality, and the fractions of regular polytopes."""
  D = dataset["feature_dimensionality"].transpose("density", "restart", "feature").values
  x = np.broadcast_to((1 / dataset["density"].values)[:, None, None], D.shape)
  # Columns would hide how many features there are: each is spread a little, always alike.
  ratio = np.log(x.max() / x.min()) / max(len(D) - 1, 1)
  spread = np.random.default_rng(0).uniform(-0.35, 0.35, D.shape)
  axes.scatter(
    (x * np.exp(ratio * spread)).ravel(),
    D.ravel(),
    s=3,
    color="C0",
    alpha=0.5,
    linewidths=0,
    rasterized=True,
  )
  for name, height in GUIDES.items():
    axes.axhline(height, color="0.55", linewidth=0.6, linestyle="--", zorder=0)
    axes.annotate(
      name,
      (1.005, height),
      xycoords=("axes fraction", "data"),
      va="center" if name[:3] not in ("2/5", "3/8") else ("bottom" if "5" in name[:3] else "top"),
      fontsize=8,
    )
  axes.set(xscale="log", ylim=(-0.03, 1.06), ylabel="feature dimensionality $D_i$")
  axes.set_xlabel("1 / (1 − S)")
  ticks = [1, 1.5, 2, 3, 4, 5, 7, 10]
  axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
  axes.set_xticks([], minor=True)
  axes.set_xlim(x.min() * np.exp(-ratio / 2), x.max() * np.exp(ratio / 2))


def _draw_graph(axes: Axes, dataset: "xr.Dataset", wanted: float) -> set[str]:
  """Draws the graph of one model; returns the kinds of component in it."""
  cell = dataset.isel(restart=0).sel(density=1 / wanted, method="nearest")
  W, component = cell["W"].transpose("hidden", "feature").values, cell["component"].values
  chosen = component >= 0
  axes.set_title(f"1/(1−S) = {1 / float(cell['density']):.2f}\n{chosen.sum()} represented")
  if not chosen.any():
    axes.set_axis_off()
    axes.set_box_aspect(1)
    axes.text(0.5, 0.5, "no norm\nstands out", ha="center", va="center", transform=axes.transAxes)
    return set()
  kinds = [KINDS[k] for k in cell["component_kind"].values[chosen]]
  colours = to_rgba_array([COLOURS[kind] for kind in kinds])
  graphs.draw_graph(axes, W[:, chosen], component[chosen], colours)
  return set(kinds)
