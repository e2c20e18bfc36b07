"""Wrong features by dimensions, shares that are read, and dimensions against active features."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter
from scipy.stats import binomtest

from toy_superposition.drawing import style
from toy_superposition.experiments.access import theory
from toy_superposition.experiments.access.analysis import N_PURSUED, PUBLISHED_ACTIVE
from toy_superposition.experiments.access.claims import CONFIDENCE, predicted

if TYPE_CHECKING:
  import xarray as xr

SPREAD = "dots and bars: mean and range over {n} codes"
PURSUIT, AVERAGE, WORST, GREY = "#2ca02c", "#1f4e9c", "#c0392b", "0.5"


def draw(dataset: "xr.Dataset") -> Figure:
  """Returns the figure: the filter's errors, what is read by m, and the three curves by k."""
  n, k = dataset.sizes["feature"], PUBLISHED_ACTIVE
  with style.style():
    figure = style.figure(12.2, 3.9)
    left, middle, right = figure.subplots(1, 3)
    _draw_wrong(left, dataset.sel(active=k), n)
    _draw_shares(middle, dataset.sel(active=k))
    _draw_curves(right, dataset, n)
    figure.suptitle(f"Linear and nonlinear access to {n} features in random unit codes")
  return figure


def _points(axes: Axes, x: np.ndarray, values: "xr.DataArray", colour: str, label: str) -> None:
  """Draws the mean over codes with a bar for their range."""
  y = values.transpose("restart", ...).values
  mean = y.mean(axis=0)
  bars = np.maximum([mean - y.min(axis=0), y.max(axis=0) - mean], 0)
  axes.errorbar(
    x, mean, bars, fmt="o", color=colour, markersize=3.5, elinewidth=0.8, label=label, zorder=3
  )


def _draw_wrong(axes: Axes, dataset: "xr.Dataset", n: int) -> None:
  m, k = dataset["dimensions"].values, PUBLISHED_ACTIVE
  shown = m <= n
  m, wrong = m[shown], dataset["wrong"].isel(dimensions=shown)
  _points(axes, m, wrong, AVERAGE, "matched filter")
  exact = [theory.expected_wrong(n=n, k=k, m=one) for one in m.tolist()]
  axes.plot(m, exact, color=AVERAGE, linewidth=1, label="exact mean")
  normal = [theory.normal_wrong(n=n, k=k, m=float(one)) for one in m.tolist()]
  axes.plot(m, normal, "--", color=GREY, linewidth=1, label="normal cosines")
  axes.set(xscale="log", yscale="log", ylim=(min(exact) / 3, None))
  axes.set(ylabel="wrong features per example", title=f"{k} active, random supports")
  _dimensions(axes.xaxis, (32, 64, 128, 256))
  axes.set_xlabel("dimensions $m$")
  axes.legend(fontsize="small", loc="lower left")


def _draw_shares(axes: Axes, dataset: "xr.Dataset") -> None:
  """Draws shares of supports that are read, and of codes in which all are."""
  k = PUBLISHED_ACTIVE
  tried = dataset.sizes["restart"] * N_PURSUED
  hits = np.round(dataset["recovered"].mean("restart").values * tried).astype(int)
  limits = [binomtest(hit, tried).proportion_ci(CONFIDENCE) for hit in hits.tolist()]
  share, m = hits / tried, dataset["pursuit_dimensions"].values
  ends = np.array([(limit.low, limit.high) for limit in limits]).T
  bars = np.maximum([share - ends[0], ends[1] - share], 0)
  axes.errorbar(m, share, bars, fmt="o-", color=PURSUIT, markersize=3.5, linewidth=1)
  read = dataset["read"].mean("restart")
  axes.plot(dataset["dimensions"], read, "o-", color=AVERAGE, markersize=3.5, linewidth=1)
  needed = np.sort(dataset["needed_worst"].values)
  of_codes = np.arange(len(needed) + 1) / len(needed)
  axes.step(
    np.append(needed, 2 * needed[-1]), np.append(of_codes[1:], 1), where="post", color=WORST
  )
  axes.plot([needed[0]] * 2, of_codes[:2], color=WORST)
  for x, y, colour, text in (
    (21, 0.3, PURSUIT, "basis\npursuit"),
    (145, 0.35, AVERAGE, "matched\nfilter"),
    (0.94 * needed[0], 0.02, WORST, "filter, every\nsupport (share\nof codes)"),
  ):
    right = colour == WORST
    axes.text(x, y, text, color=colour, fontsize="small", ha="right" if right else "left")
  axes.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":")
  axes.set(xscale="log", xlabel="dimensions $m$", ylabel="share read without an error")
  axes.set(ylim=(-0.02, 1.05), title=f"{k} active; bars: {CONFIDENCE:.0%} intervals")
  _dimensions(axes.xaxis, (16, 32, 64, 128, 256, 512, 1024))


def _draw_curves(axes: Axes, dataset: "xr.Dataset", n: int) -> None:
  active = dataset["active"].values
  for name, law, colour, label, text in (
    ("worst", "union", WORST, "filter, every support", "union bound"),
    ("filter", "typical", AVERAGE, "filter, half of the supports", "normal cosines"),
    ("pursuit", "statistical_dimension", PURSUIT, "pursuit, half", "statistical dimension"),
  ):
    axes.plot(active, predicted(dataset, law), color=colour, linewidth=1, label=text)
    _points(axes, active, dataset[f"needed_{name}"], colour, label)
  axes.plot(active, predicted(dataset, "quadratic"), "--", color=WORST, label="$8k^2\\,\\ln n$")
  least = predicted(dataset, "any_code")
  axes.plot(active, least, ":", color=WORST, label="no unit code: every support")
  axes.axhline(n, color=GREY, linewidth=0.8)
  axes.text(active[-1], n * 0.97, "$m = n$", color="0.35", fontsize="x-small", ha="right", va="top")
  axes.set(xscale="log", yscale="log", xlabel="active features $k$", ylabel="dimensions $m$")
  axes.set(title="dimensions that access needs")
  _dimensions(axes.xaxis, active.tolist())
  axes.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1.02, 0.5))


def _dimensions(axis, ticks) -> None:
  """Labels a logarithmic axis with these numbers."""
  axis.set_major_formatter(ScalarFormatter())
  axis.set_minor_formatter(NullFormatter())
  axis.set_ticks(list(ticks))
