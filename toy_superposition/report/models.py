"""Panels that show one model at a time, chosen by sliders over the sweep's axes.

The data of such a panel are the axes that remain after thinning, and for every point of their
product (the last axis fastest) the parameters of one model.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from toy_superposition.drawing import graphs, style
from toy_superposition.drawing.graphs import COLOURS
from toy_superposition.experiments import restarts
from toy_superposition.geometry.components import Component, components, tegum
from toy_superposition.geometry.neurons import asymmetric_motifs, rescaled
from toy_superposition.report.maps import usual
from toy_superposition.report.packing import BYTES_EACH, evenly, pack, rounded, thinned

if TYPE_CHECKING:
  import xarray as xr

INNER = ("hidden", "feature")
RESTART, STEP = "restart", "step"
MOST_FEATURES = 1000  # in a panel, whose pairs are computed here and in the browser
MOST_MODELS = 400  # in a panel: the components of each are named
# What is thinned first when there is no room for all, and to how many.
STAGES = ((RESTART, 8), (STEP, 60), (RESTART, 3), (STEP, 30), (RESTART, 1))
MOST_MOTIFS = 6  # named in a panel
OVERHEAD = 120  # bytes of a model beside its arrays
LABELS = {
  "density": "density p = 1 − S",
  "relative_density": "relative density of the feature apart",
  "relative_importance": "relative importance r",
  RESTART: "restart, by loss",
  STEP: "training step",
}
SOLID = 3  # most hidden dimensions in which arrows are drawn, and sums of components have names


PLAIN = ("dedicated", "unknown")  # names that say nothing of superposition


class Chosen(NamedTuple):
  """The models of a panel."""

  dataset: "xr.Dataset"  # thinned; `restart` counts from the best, `restart_number` is the run's
  axes: list[dict[str, Any]]  # name, label, values, index at the start
  notes: list[str]  # what was left out

  def rows(self, name: str, *inner: str) -> np.ndarray:
    """Returns a variable as (model, *inner), the last axis of the panel fastest."""
    dims = [axis["name"] for axis in self.axes]
    array = self.dataset[name]
    missing = {dim: self.dataset.sizes[dim] for dim in dims if dim not in array.dims}
    values = array.expand_dims(missing).transpose(*dims, *inner).values
    return values.reshape(-1, *values.shape[len(dims) :])


def is_trained(dataset: "xr.Dataset") -> bool:
  """Returns whether there is more to show than initial values."""
  return json.loads(dataset.attrs["config"])["train.steps"] > 0


def has_geometry(dataset: "xr.Dataset") -> bool:
  """Returns whether directions of features tell the story: not where neurons have a ReLU, and not
  where they are shown during training."""
  hidden = dataset.attrs["model"] == "relu_hidden" or "history_W" in dataset
  return is_trained(dataset) and "W" in dataset and not hidden


def choose(dataset: "xr.Dataset", names: Sequence[str], most: int) -> Chosen:
  """Returns at most `most` models, spread evenly over every axis.

  Restarts are put in the order of their losses at every point of the other axes.

  Args:
    dataset: results.
    names: variables that are kept; the axes are those of the first.
    most: models.
  """
  dims = [str(dim) for dim in dataset[names[0]].dims if dim not in INNER]
  sizes = {dim: dataset.sizes[dim] for dim in dims}
  kept = thinned(sizes, min(most, MOST_MODELS), STAGES)
  at = {dim: evenly(sizes[dim], kept[dim]) for dim in dims}
  small = dataset.isel({dim: at[dim] for dim in dims if dim != RESTART})
  if RESTART in dims:
    loss = restarts.ranked_loss(small).transpose(..., RESTART).drop_vars(RESTART, errors="ignore")
    order = loss.copy(data=np.argsort(loss.values, axis=-1, kind="stable"))
    order = order.isel({RESTART: at[RESTART]}).rename({RESTART: "place"})
    small = small[list(names)].isel({RESTART: order})
    small = small.rename({RESTART: "restart_number"}).rename({"place": RESTART})
    small = small.assign_coords({RESTART: [k + 1 for k in at[RESTART]]})
  axes = [_axis(small, dim, sizes[dim]) for dim in dims]
  notes = [
    f"{len(at[dim])} of {sizes[dim]} {'restarts' if dim == RESTART else f'values of {dim}'}"
    for dim in dims
    if len(at[dim]) < sizes[dim]
  ]
  return Chosen(small, axes, notes)


def _axis(dataset: "xr.Dataset", name: str, size: int) -> dict[str, Any]:
  values = dataset[name].values
  numeric = np.issubdtype(values.dtype, np.number)
  start = 0
  if name == "density":
    start = int(np.argmin(values))
  elif name in ("relative_density", "relative_importance"):
    with np.errstate(divide="ignore", invalid="ignore"):
      start = int(np.argmin(np.abs(np.log(values))))
  elif not numeric:
    start = usual([str(value) for value in values])
  elif name == STEP:
    start = len(values) - 1
  return {
    "name": name,
    "label": LABELS.get(name, name.replace("_", " ")),
    "values": rounded(values) if numeric else [str(value) for value in values],
    "start": start,
    "size": size,
  }


def bytes_each(dataset: "xr.Dataset", name: str = "W") -> float:
  """Returns the size of one model in the page."""
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  return OVERHEAD + BYTES_EACH * n * (2 * m if name == "W1" else m + 3 + 2 * (m > SOLID))


def count(dataset: "xr.Dataset", name: str = "W") -> int:
  """Returns how many models a panel may show of a dataset."""
  sizes = [dataset.sizes[dim] for dim in dataset[name].dims if dim not in INNER]
  return min(int(np.prod(sizes)), MOST_MODELS)


def geometry(dataset: "xr.Dataset", room: float) -> dict[str, Any]:
  """Returns the data of the feature-geometry explorer, in about `room` bytes."""
  names = ["W", "b", "loss", "feature_importance", "feature_density"]
  with_steps = STEP in dataset["W"].dims
  if with_steps:
    names.append("history_loss")
  chosen = choose(dataset, names, int(room / bytes_each(dataset)))
  W = chosen.rows("W", "hidden", "feature")
  found = [components(each) if np.isfinite(each).all() else [] for each in W]
  kinds = [[component.name for component in one] for one in found]
  _start_at_named(chosen.axes, found)
  data = {
    "axes": chosen.axes,
    "notes": chosen.notes,
    "W": pack(W),
    "b": pack(chosen.rows("b", "feature")),
    "loss": rounded(chosen.rows("history_loss" if with_steps else "loss")),
    "importance": pack(chosen.rows("feature_importance", "feature")),
    "density": pack(chosen.rows("feature_density", "feature")),
    "component": pack(_numbers(found, W.shape[2])),
    "kinds": kinds,
    "colours": {kind: style.css(COLOURS[kind]) for one in kinds for kind in one},
  }
  if W.shape[1] <= SOLID:
    data["solids"] = [tegum(one) if len(one) > 1 else "" for one in kinds]
  else:
    data["places"] = pack(_places(found, W.shape[2]))
  if "restart_number" in chosen.dataset.coords:
    data["restart"] = chosen.rows("restart_number").tolist()
  return data


def _start_at_named(axes: Sequence[dict[str, Any]], found: Sequence[Sequence[Component]]) -> None:
  """Lets the density begin where most features share dimensions in components with a name, the
  sparsest of several such."""
  names = [axis["name"] for axis in axes]
  if "density" not in names:
    return
  named = [sum(len(c.features) for c in one if c.name not in PLAIN) for one in found]
  grid = np.reshape(named, [len(axis["values"]) for axis in axes])
  at = tuple(slice(None) if axis["name"] == "density" else axis["start"] for axis in axes)
  values = axes[names.index("density")]["values"]
  axes[names.index("density")]["start"] = max(
    range(len(values)), key=lambda k: (grid[at][k], -values[k])
  )


def history(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset with the parameters kept during training in the place of the last ones."""
  return dataset.assign(W=dataset["history_W"], b=dataset["history_b"])


def neurons(dataset: "xr.Dataset", room: float) -> dict[str, Any]:
  """Returns the data of the neurons panel, in about `room` bytes.

  Weights of a model with separate input and output are scaled so that every neuron's largest input
  weight is ±1.
  """
  separate = "W1" in dataset
  names = ["W1", "W2", "loss"] if separate else ["W", "loss"]
  chosen = choose(dataset, names, int(room / bytes_each(dataset, "W1")))
  data: dict[str, Any] = {"axes": chosen.axes, "notes": chosen.notes, "scaled": separate}
  data["loss"] = rounded(chosen.rows("loss"))
  if "restart_number" in chosen.dataset.coords:
    data["restart"] = chosen.rows("restart_number").tolist()
  if not separate:
    return data | {"W1": pack(chosen.rows("W", "hidden", "feature"))}
  raw = zip(
    chosen.rows("W1", "hidden", "feature"), chosen.rows("W2", "feature", "hidden"), strict=True
  )
  with np.errstate(invalid="ignore", over="ignore"):  # of models that are not finite
    pairs = [rescaled(one, two) for one, two in raw]
  finite = [bool(np.isfinite(one).all() and np.isfinite(two).all()) for one, two in pairs]
  motifs = [
    asymmetric_motifs(*pair) if all_of else [] for pair, all_of in zip(pairs, finite, strict=True)
  ]
  return data | {
    "W1": pack(np.stack([one for one, _ in pairs])),
    "W2": pack(np.stack([two for _, two in pairs])),
    "motifs": [[list(motif) for motif in one[:MOST_MOTIFS]] for one in motifs],
  }


def _numbers(found: Sequence[Sequence[Component]], n: int) -> np.ndarray:
  """Returns the number of every feature's component, −1 without one."""
  numbers = np.full((len(found), n), -1)
  for row, one in zip(numbers, found, strict=True):
    for k, component in enumerate(one):
      row[component.features] = k
  return numbers


def _places(found: Sequence[Sequence[Component]], n: int) -> np.ndarray:
  """Returns where every feature's node is drawn, nan where it is not."""
  numbers = _numbers(found, n)
  places = np.full((len(found), n, 2), np.nan)
  for place, row in zip(places, numbers, strict=True):
    if (row >= 0).any():
      place[row >= 0] = graphs.layout(row[row >= 0])
  return places
