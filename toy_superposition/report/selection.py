"""Which models of a sweep a panel shows, when there is no room for all of them.

The data of a panel that shows one model at a time are the axes that remain after thinning, and the
parameters of one model for every point of their product, the last axis fastest.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from toy_superposition.experiments import restarts
from toy_superposition.report.packing import BYTES_EACH, evenly, rounded, thinned

if TYPE_CHECKING:
  import xarray as xr

INNER = ("hidden", "feature")
RESTART, STEP = "restart", "step"
MOST_FEATURES = 1000  # of a model in a panel: all pairs are computed here and in the browser
MOST_MODELS = 400  # in a panel: the components of each are named
# (axis, number): axes are thinned in this order, each to the number beside it.
STAGES = ((RESTART, 8), (STEP, 60), (RESTART, 3), (STEP, 30), (RESTART, 1))
OVERHEAD = 120  # bytes per model beside its arrays
LABELS = {
  "density": "density p = 1 − S: how often a feature is active",
  "relative_density": "relative density of the feature that differs",
  "relative_importance": "relative importance r of the extra feature",
  RESTART: "restart, sorted by loss",
  STEP: "training step",
}
SOLID = 3  # maximum hidden dimensions drawn as arrows; sums of components have names up to here
MAIN_MODEL = "relu_output"


class Selection(NamedTuple):
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
  """Returns whether the models were trained for at least one step.

  Of all model sizes together the config has no steps if sizes differ in them: some were trained.
  """
  return json.loads(dataset.attrs["config"]).get("train.steps", 1) > 0


def main_model(names: Sequence[str]) -> int:
  """Returns the index of the paper's main model among names; of the last name without it."""
  return list(names).index(MAIN_MODEL) if MAIN_MODEL in names else len(names) - 1


def bytes_each(dataset: "xr.Dataset", name: str = "W") -> float:
  """Returns the size of one model in the page."""
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  return OVERHEAD + BYTES_EACH * n * (2 * m if name == "W1" else m + 3 + 2 * (m > SOLID))


def count(dataset: "xr.Dataset", name: str = "W") -> int:
  """Returns how many models of a dataset a panel may show."""
  sizes = [dataset.sizes[dim] for dim in dataset[name].dims if dim not in INNER]
  return min(int(np.prod(sizes)), MOST_MODELS)


def choose(dataset: "xr.Dataset", names: Sequence[str], most: int) -> Selection:
  """Returns at most `most` models, spread evenly over every axis.

  Restarts are sorted by loss at every point of the other axes.

  Args:
    dataset: results.
    names: the variables to keep; the axes are those of the first.
    most: number of models.
  """
  dims = [str(dim) for dim in dataset[names[0]].dims if dim not in INNER]
  sizes = {dim: dataset.sizes[dim] for dim in dims}
  kept = thinned(sizes, min(most, MOST_MODELS), STAGES)
  at = {dim: evenly(sizes[dim], kept[dim]) for dim in dims}
  small = dataset.isel({dim: at[dim] for dim in dims if dim != RESTART})
  if RESTART in dims:
    loss = restarts.ranked_loss(small).transpose(..., RESTART).drop_vars(RESTART, errors="ignore")
    order = loss.copy(data=np.argsort(loss.values, axis=-1, kind="stable"))
    order = order.isel({RESTART: at[RESTART]}).rename({RESTART: "rank"})
    small = small[list(names)].isel({RESTART: order})
    small = small.rename({RESTART: "restart_number"}).rename({"rank": RESTART})
    small = small.assign_coords({RESTART: [k + 1 for k in at[RESTART]]})
  axes = [axis_of(small, dim, sizes[dim]) for dim in dims]
  notes = [
    f"{len(at[dim])} of {sizes[dim]} {'restarts' if dim == RESTART else f'values of {dim}'}"
    for dim in dims
    if len(at[dim]) < sizes[dim]
  ]
  return Selection(small, axes, notes)


def axis_of(dataset: "xr.Dataset", name: str, size: int) -> dict[str, Any]:
  """Returns an axis for a slider or a list: its points, of `size` in the run, and the one chosen at
  the start."""
  values = dataset[name].values
  numeric = np.issubdtype(values.dtype, np.number)
  start = 0
  if name == "density":
    start = int(np.argmin(values))
  elif name in ("relative_density", "relative_importance"):
    with np.errstate(divide="ignore", invalid="ignore"):
      start = int(np.argmin(np.abs(np.log(values))))
  elif not numeric:
    start = main_model([str(value) for value in values])
  elif name == STEP:
    start = len(values) - 1
  return {
    "name": name,
    "label": LABELS.get(name, name.replace("_", " ")),
    "values": rounded(values) if numeric else [str(value) for value in values],
    "start": start,
    "size": size,
  }
