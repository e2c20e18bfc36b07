"""The panel of feature geometry: the directions of one model's features, chosen by sliders.

With an axis of training steps it is the panel of learning dynamics.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from toy_superposition.geometry.components import Component, components, tegum
from toy_superposition.report.packing import pack, rounded
from toy_superposition.report.selection import (
  SOLID,
  STEP,
  bytes_each,
  choose,
  count,
  is_trained,
)

if TYPE_CHECKING:
  import xarray as xr

NO_SUPERPOSITION = ("dedicated", "unknown")  # names of components that show no superposition


def applies(dataset: "xr.Dataset") -> bool:
  """Returns whether to show directions of features: not of models with a ReLU on their hidden
  layer, and not of those that have a history, which `dynamics` shows."""
  hidden = dataset.attrs.get("model") == "relu_hidden" or "history_W" in dataset
  return is_trained(dataset) and "W" in dataset and not hidden


def size(dataset: "xr.Dataset") -> float:
  """Returns the bytes of all models."""
  return count(dataset) * bytes_each(dataset)


def has_history(dataset: "xr.Dataset") -> bool:
  """Returns whether weights during training are stored."""
  return is_trained(dataset) and "history_W" in dataset


def history_size(dataset: "xr.Dataset") -> float:
  """Returns the bytes of all models at all stored steps."""
  return count(dataset, "history_W") * bytes_each(dataset)


def history_data(dataset: "xr.Dataset", room: float) -> dict[str, Any]:
  """Returns the panel's data with the stored training steps as an axis, in about `room` bytes."""
  return data(dataset.assign(W=dataset["history_W"], b=dataset["history_b"]), room)


def data(dataset: "xr.Dataset", room: float) -> dict[str, Any]:
  """Returns the panel's data, in about `room` bytes."""
  from toy_superposition.drawing import graphs, style  # matplotlib

  if "b" not in dataset:  # a model whose output is no feature has no bias of one
    dataset = dataset.assign(b=dataset["feature_density"] * 0)
  names = ["W", "b", "loss", "feature_importance", "feature_density"]
  with_steps = STEP in dataset["W"].dims
  if with_steps:
    names.append("history_loss")
  selection = choose(dataset, names, int(room / bytes_each(dataset)))
  W = selection.rows("W", "hidden", "feature")
  n_features, n_hidden = W.shape[2], W.shape[1]
  of_models = [components(model) if np.isfinite(model).all() else [] for model in W]
  kinds = [[component.name for component in of_model] for of_model in of_models]
  _start_at_named(selection.axes, of_models)
  numbers = _numbers(of_models, n_features)
  content = {
    "axes": selection.axes,
    "notes": selection.notes,
    "W": pack(W),
    "b": pack(selection.rows("b", "feature")),
    "loss": rounded(selection.rows("history_loss" if with_steps else "loss")),
    "importance": pack(selection.rows("feature_importance", "feature")),
    "density": pack(selection.rows("feature_density", "feature")),
    "component": pack(numbers),
    "kinds": kinds,
    "colours": {kind: style.css(graphs.COLOURS[kind]) for of_model in kinds for kind in of_model},
  }
  if n_hidden <= SOLID:
    content["solids"] = [tegum(of_model) if len(of_model) > 1 else "" for of_model in kinds]
  else:
    content["places"] = pack(_places(numbers))
  if "restart_number" in selection.dataset.coords:
    content["restart"] = selection.rows("restart_number").tolist()
  return content


def _start_at_named(
  axes: Sequence[dict[str, Any]], of_models: Sequence[Sequence[Component]]
) -> None:
  """Sets the initial density to the one at which most features share dimensions in named
  components; to the sparsest of several such."""
  names = [axis["name"] for axis in axes]
  if "density" not in names:
    return
  named = [
    sum(len(c.features) for c in of_model if c.name not in NO_SUPERPOSITION)
    for of_model in of_models
  ]
  grid = np.reshape(named, [len(axis["values"]) for axis in axes])
  at = tuple(slice(None) if axis["name"] == "density" else axis["start"] for axis in axes)
  values = axes[names.index("density")]["values"]
  axes[names.index("density")]["start"] = max(
    range(len(values)), key=lambda k: (grid[at][k], -values[k])
  )


def _numbers(of_models: Sequence[Sequence[Component]], n_features: int) -> np.ndarray:
  """Returns the number of every feature's component; −1 for a feature that is not represented."""
  numbers = np.full((len(of_models), n_features), -1)
  for row, of_model in zip(numbers, of_models, strict=True):
    for k, component in enumerate(of_model):
      row[component.features] = k
  return numbers


def _places(numbers: np.ndarray) -> np.ndarray:
  """Returns the position (model, feature, 2) of every feature's node, nan without a component."""
  from toy_superposition.drawing import graphs

  places = np.full((*numbers.shape, 2), np.nan)
  for place, row in zip(places, numbers, strict=True):
    if (row >= 0).any():
      place[row >= 0] = graphs.layout(row[row >= 0])
  return places
