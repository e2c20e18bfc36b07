"""The basic pictures, of which the paper's figures are made.

Each draws results on given matplotlib Axes, by default those of a new pyplot figure, and returns
them. `model` is a run's dataset reduced to one trained model, such as
best(results).isel(density=0); `dataset` has the sweep's axes.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array

from toy_superposition.drawing import graphs, weights
from toy_superposition.drawing.phase_map import phase_map
from toy_superposition.drawing.style import given
from toy_superposition.errors import UserError
from toy_superposition.geometry.components import components
from toy_superposition.geometry.orientation import oriented
from toy_superposition.joining import of_one_shape
from toy_superposition.measures import MEASURES
from toy_superposition.repetitions import as_restarts

if TYPE_CHECKING:
  import xarray as xr

__all__ = [
  "arrows",
  "dimensionality",
  "dimensions_per_feature",
  "gram",
  "graph",
  "norms",
  "phase_map",
]

# Dimensionalities of features in regular polytopes.
FRACTIONS = {
  "1": 1.0,
  "3/4  tetrahedron": 3 / 4,
  "2/3  triangle": 2 / 3,
  "1/2  digon": 1 / 2,
  "2/5  pentagon": 2 / 5,
  "3/8  square antiprism": 3 / 8,
  "0  not represented": 0.0,
}
SPREAD = 0.35  # of the points of one density, as a share of the distance between densities


def arrows(
  model: "xr.Dataset",
  axes: Axes | None = None,
  *,
  colours: np.ndarray | None = None,
  limit: float = weights.LIMIT,
) -> Axes:
  """Draws the directions of a model's features in the plane of its two hidden dimensions.

  The model is turned into standard position, in which equal models look alike.

  Args:
    model: with two hidden dimensions.
    axes: to draw on.
    colours: one per feature; by default the brighter, the more important.
    limit: both axes end at ± this.

  Raises:
    UserError: `model` is more than one model, or does not have two hidden dimensions.
  """
  W = _directions(model)
  if len(W) != 2:
    raise UserError(f"arrows are drawn in two hidden dimensions, and this model has {len(W)}")
  if colours is None:
    colours = weights.importance_colours(_measured(model, "feature_importance").values)
  return weights.draw_arrows(given(axes), oriented(W), colours, limit)


def gram(model: "xr.Dataset", axes: Axes | None = None, *, bias: bool = True) -> Axes:
  """Draws WᵀW of a model, blue −1 to red +1, with the bias as a column of its own on the right.

  Raises:
    UserError: `model` is more than one model, or its decoder is not the encoder's transpose.
  """
  W = _directions(model)
  if "W" not in model:
    raise UserError(
      "WᵀW exists for models whose decoder is their encoder's transpose; this model has no W"
    )
  return weights.draw_gram(given(axes), W, _measured(model, "b").values if bias else None)


def norms(model: "xr.Dataset", axes: Axes | None = None) -> Axes:
  """Draws a bar per feature: its length is the norm ‖W_i‖, and its colour the superposition
  Σ_{j≠i} (Ŵ_i · W_j)², from 0 (dark) to ≥ 1 (yellow). With m hidden dimensions, a line follows the
  first m features.

  Raises:
    UserError: `model` is more than one model, or lacks the measures feature_norm, superposition.
  """
  _directions(model)
  norm, shared = (_measured(model, name).values for name in ("feature_norm", "superposition"))
  return weights.draw_norms(given(axes), norm, shared, model.sizes["hidden"])


def graph(model: "xr.Dataset", axes: Axes | None = None, *, legend: bool = True) -> Axes:
  """Draws a model's represented features as a graph. Features that share dimensions are joined; the
  larger the inner product, the darker the edge. Colours show the geometric component.

  Args:
    model: to draw.
    axes: to draw on.
    legend: whether to name the kinds of component below.

  Raises:
    UserError: `model` is more than one model.
  """
  W, axes = _directions(model), given(axes)
  parts = components(W) if np.isfinite(W).all() else []
  if not parts:
    axes.set_axis_off()
    axes.set_box_aspect(1)
    axes.text(0.5, 0.5, "no norm\nstands out", ha="center", va="center", transform=axes.transAxes)
    return axes
  features = np.concatenate([part.features for part in parts])
  number = np.repeat(np.arange(len(parts)), [len(part.features) for part in parts])
  order = np.argsort(features)  # drawn in the features' order, regardless of component
  colours = to_rgba_array([graphs.COLOURS[parts[k].name] for k in number])
  graphs.draw_graph(axes, W[:, features[order]], number[order], colours[order])
  if legend:
    kinds = [kind for kind in graphs.COLOURS if kind in {part.name for part in parts}]
    for kind in kinds:
      axes.plot([], [], "o", color=graphs.COLOURS[kind], label=kind, markersize=5)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=min(len(kinds), 3))
  return axes


def dimensions_per_feature(dataset: "xr.Dataset", axes: Axes | None = None) -> Axes:
  """Draws D* = m / ‖W‖²_F against 1/(1 − S): the mean over restarts, with their range behind it.

  Raises:
    UserError: `dataset` lacks the measure dimensions_per_feature or the axis density, or the
      measure has axes other than density and restart.
  """
  array, axes = _by_density(dataset, "dimensions_per_feature"), given(axes)
  x = 1 / array["density"].values
  values: Float[np.ndarray, "density restart"] = array.values
  low, high = values.min(axis=1), values.max(axis=1)
  if (n := values.shape[1]) > 1:
    axes.fill_between(
      x, low, high, color="C0", alpha=0.25, linewidth=0, label=f"range of {n} trainings"
    )
  axes.plot(x, values.mean(axis=1), color="C0", linewidth=1.4, label="mean" if n > 1 else None)
  for height in (1, 0.5):
    axes.axhline(height, color="0.7", linewidth=0.6, linestyle=":", zorder=0)
  axes.set(xscale="log", ylim=(0, 1.1), xlabel="1 / (1 − S)", ylabel=r"$D^* = m\,/\,\|W\|_F^2$")
  if n > 1:
    axes.legend(loc="upper right")
  return axes


def dimensionality(dataset: "xr.Dataset", axes: Axes | None = None) -> Axes:
  """Draws the dimensionality D_i of every feature against 1/(1 − S), with lines at the
  dimensionalities of regular polytopes.

  Raises:
    UserError: `dataset` lacks the measure feature_dimensionality or the axis density, or the
      measure has axes other than density, restart and feature.
  """
  array, axes = _by_density(dataset, "feature_dimensionality", "feature"), given(axes)
  D: Float[np.ndarray, "density restart feature"] = array.values
  x = np.broadcast_to((1 / array["density"].values)[:, None, None], D.shape)
  # In plain columns points would hide each other. They are spread a little, always the same way.
  ratio = np.log(x.max() / x.min()) / max(len(D) - 1, 1) or 0.1
  spread = np.exp(ratio * np.random.default_rng(0).uniform(-SPREAD, SPREAD, D.shape))
  axes.scatter(
    *((x * spread).ravel(), D.ravel()), s=3, color="C0", alpha=0.5, linewidths=0, rasterized=True
  )
  for name, height in FRACTIONS.items():
    axes.axhline(height, color="0.55", linewidth=0.6, linestyle="--", zorder=0)
    # The names of 2/5 and 3/8 would overlap.
    side = {"2/5": "bottom", "3/8": "top"}.get(name[:3], "center")
    at, units = (1.005, height), ("axes fraction", "data")
    axes.annotate(name, at, xycoords=units, va=side, fontsize="small")
  axes.set(xscale="log", ylim=(-0.03, 1.06))
  every = f"\n(every one of {D.shape[1]} trainings)" if D.shape[1] > 1 else ""
  axes.set_ylabel(f"feature dimensionality $D_i${every}")
  axes.set_xlabel("1 / (1 − S)")
  ticks = [1, 1.5, 2, 3, 4, 5, 7, 10]
  axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
  axes.set_xticks([], minor=True)
  axes.set_xlim(x.min() * np.exp(-ratio / 2), x.max() * np.exp(ratio / 2))
  return axes


def _directions(model: "xr.Dataset") -> Float[np.ndarray, "hidden feature"]:
  """Returns the feature directions of one model: W, or W₁ if the decoder has weights of its own.

  Raises:
    UserError: `model` has no such weights, or is more than one model.
  """
  model = of_one_shape(model)
  names = [name for name in ("W", "W1") if name in getattr(model, "data_vars", ())]
  if not names or not {"hidden", "feature"} <= set(model[names[0]].dims):
    raise UserError(
      "not a dataset of models: no weights W or W1 with the axes hidden and feature; "
      "ts.weights(W, density=…) makes one of an array"
    )
  W = model[names[0]]
  if not W.size:
    raise UserError(f"no weights to draw: {names[0]} has the axes {dict(W.sizes)}")
  others = [f"{dim} ({size})" for dim, size in W.sizes.items() if dim not in ("hidden", "feature")]
  if others:
    raise UserError(
      f"the picture is of one model, and this dataset has the axes {', '.join(others)}; choose one "
      "with best, isel or sel, such as best(dataset).isel(density=0)"
    )
  return W.transpose("hidden", "feature").values


def _measured(dataset: "xr.Dataset", name: str) -> "xr.DataArray":
  dataset = of_one_shape(dataset)
  if name not in getattr(dataset, "data_vars", ()):
    add = "; add it to config.measures" if name in MEASURES else ""
    raise UserError(f"the dataset has no {name!r}{add}")
  return dataset[name]


def _by_density(dataset: "xr.Dataset", name: str, *own: str) -> "xr.DataArray":
  """Returns a measure with the axes density (descending) and restart first."""
  _measured(dataset, name)
  array = as_restarts(of_one_shape(dataset))[name]
  if "restart" not in array.dims:
    array = array.expand_dims("restart")
  if set(array.dims) != {"density", "restart", *own} or "density" not in array.coords:
    raise UserError(f"{name} is drawn against density alone, and here has the axes {array.dims}")
  array = array.sel(density=array["density"] > 0)  # at 0 there is no 1 / (1 − S)
  if not array.size:
    raise UserError(f"{name} is drawn against 1/(1 − S), and no density here is above 0")
  return array.transpose("density", "restart", ...).sortby("density", ascending=False)
