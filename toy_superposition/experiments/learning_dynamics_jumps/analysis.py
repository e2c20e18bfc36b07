"""Feature dimensionalities during training, and the jumps in them.

Paper, section "Learning Dynamics", discrete energy level jumps.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int

from toy_superposition import evaluation
from toy_superposition.experiments import restarts
from toy_superposition.geometry.components import dimensionalities
from toy_superposition.geometry.definitions import is_represented

if TYPE_CHECKING:
  import xarray as xr

LEVELS = (1 / 2, 2 / 3, 3 / 4)  # of D_i: digons, triangles, tetrahedra
ON_A_LEVEL = 0.03  # distance from a level below which a D_i is on it
WINDOW = 0.05  # share of training within which a jump happens
JUMP = 0.15  # change of a D_i above which it is a jump
SETTLED = 0.05  # largest change of a settled D_i
SETTLED_SHARE = 0.8  # minimum share of features that are settled before a jump
# Examples on which the losses before and after a jump are compared. None of them found the jump:
# feature dimensionalities did.
JUDGED = 2**17


class Event(NamedTuple):
  """One jump of one training; `before` and `after` are indices of recorded steps."""

  before: int
  after: int
  movers: Int[np.ndarray, "mover"]  # features whose D_i jumps


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with every feature's dimensionality at every recorded step, and the loss
  that jumps save.

  `judged_drop`, with its standard error `drop_error`, is the loss at the step before a jump minus
  that after it, on the same fresh examples; nan at steps from which no jump starts.
  """
  del memory_budget
  history = dataset["history_W"].transpose(..., "step", "hidden", "feature")
  attributes = {"long_name": "D_i during training"}
  D = dimensionalities(history.values.astype(float))
  dataset = dataset.assign(history_dimensionality=((*history.dims[:-2], "feature"), D, attributes))
  return with_drops(dataset, mesh)


def with_drops(dataset: "xr.Dataset", mesh: Mesh) -> "xr.Dataset":
  """Returns the dataset with `judged_drop` and `drop_error` of the jumps in it."""
  all_models = restarts.with_restarts(dataset)
  jumps = [
    (k, event) for k, model in enumerate(trainings(all_models)) for event in events_of(model)
  ]
  shape = all_models.sizes["restart"], all_models.sizes["step"]
  drop, error = np.full(shape, np.nan), np.full(shape, np.nan)
  if jumps:
    training = np.array([k for k, _ in jumps])
    before, after = (np.array([event[i] for _, event in jumps]) for i in (0, 1))
    paired = _losses(all_models, training, before, mesh) - _losses(
      all_models, training, after, mesh
    )
    drop[training, before] = paired.mean("batch")
    error[training, before] = restarts.standard_error(paired)
  dims: tuple[str, ...] = ("restart", "step")
  if "restart" not in dataset.dims:
    dims, drop, error = ("step",), drop[0], error[0]
  return dataset.assign(
    judged_drop=(dims, drop, {"long_name": f"loss that a jump saves, on {JUDGED} fresh examples"}),
    drop_error=(dims, error, {"long_name": "standard error of judged_drop"}),
  )


def _losses(
  dataset: "xr.Dataset",
  training: Int[np.ndarray, "jump"],
  step: Int[np.ndarray, "jump"],
  mesh: Mesh,
) -> "xr.DataArray":
  """Returns the batch losses of models during training, one for each jump."""
  import xarray as xr

  at = {"restart": xr.DataArray(training, dims="jump"), "step": xr.DataArray(step, dims="jump")}
  names = [str(name) for name in dataset if str(name).startswith("history_")]
  parameters = {name: dataset[f"history_{name}"] for name in dataset if f"history_{name}" in names}
  models = dataset.drop_vars(names).assign(parameters)
  models = models.isel(at).drop_vars(["restart", "step"], errors="ignore")
  return restarts.batch_losses(models, JUDGED, evaluation.JUDGING, mesh)


def events(dimensionality: Float[np.ndarray, "step feature"]) -> list[Event]:
  """Returns the jumps after most features have settled, in order and without overlap.

  A jump is a window in which some D_i change by more than JUMP; the loss does not enter. A feature
  is settled if its D_i changed by at most SETTLED between two windows and one window before the
  jump. All other settled features must stay from there to the jump's end, so that nothing else is
  still on its way. Among overlapping windows, the one with the largest change is the jump.
  """
  n_steps = len(dimensionality)
  window = round(WINDOW * (n_steps - 1))
  jumps: list[Event] = []
  sizes: list[float] = []
  for start in range(2 * window, n_steps - window):
    event, size = _event(dimensionality, start, window)
    if event and jumps and start < jumps[-1].after:
      if size > sizes[-1]:
        jumps[-1], sizes[-1] = event, size
    elif event:
      jumps.append(event)
      sizes.append(size)
  return jumps


def _event(
  dimensionality: Float[np.ndarray, "step feature"], start: int, window: int
) -> tuple[Event | None, float]:
  """Returns the jump that begins at a recorded step, if any, and the sum of its changes.

  Args:
    dimensionality: D_i.
    start: index of the step.
    window: number of steps.
  """
  rest, end = start - window, start + window
  settled = np.ptp(dimensionality[rest - window : rest + 1], axis=0) <= SETTLED
  change = np.abs(dimensionality[end] - dimensionality[start])
  movers = change > JUMP
  since = np.abs(dimensionality[rest : end + 1] - dimensionality[rest])
  others_stay = np.all(since[:, settled & ~movers] <= SETTLED)
  if settled.mean() < SETTLED_SHARE or not movers.any() or not others_stay:
    return None, 0.0
  return Event(start, end, np.flatnonzero(movers)), float(change[movers].sum())


def trainings(dataset: "xr.Dataset") -> list["xr.Dataset"]:
  """Returns the restarts one by one."""
  if "restart" not in dataset.dims:
    return [dataset]
  return [dataset.isel(restart=k) for k in range(dataset.sizes["restart"])]


def events_of(model: "xr.Dataset") -> list[Event]:
  """Returns the jumps of one training."""
  return events(model["history_dimensionality"].transpose("step", "feature").values)


def final_dimensionalities(model: "xr.Dataset") -> Float[np.ndarray, "represented"]:
  """Returns D_i of the represented features of a trained model."""
  W = model["W"].values
  return dimensionalities(W)[is_represented(W)]
