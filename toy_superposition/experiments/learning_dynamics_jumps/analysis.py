"""Feature dimensionalities during training, and the jumps in them.

Paper, section "Learning Dynamics", discrete energy level jumps.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int

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
SMOOTHED = 3  # recorded steps in the moving average of the loss


class Event(NamedTuple):
  """One jump of one training; `before` and `after` are indices of recorded steps."""

  before: int
  after: int
  movers: Int[np.ndarray, "mover"]  # features whose D_i jumps
  drop: float  # of the smoothed loss


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with every feature's dimensionality at every recorded step."""
  del mesh, memory_budget
  history = dataset["history_W"].transpose(..., "step", "hidden", "feature")
  attributes = {"long_name": "D_i during training"}
  D = dimensionalities(history.values.astype(float))
  return dataset.assign(history_dimensionality=((*history.dims[:-2], "feature"), D, attributes))


def smoothed(loss: Float[np.ndarray, "step"]) -> Float[np.ndarray, "step"]:
  """Returns a moving average; at the ends, the average of fewer values."""
  kernel = np.ones(SMOOTHED)
  return np.convolve(loss, kernel, "same") / np.convolve(np.ones(len(loss)), kernel, "same")


def events(
  dimensionality: Float[np.ndarray, "step feature"], loss: Float[np.ndarray, "step"]
) -> list[Event]:
  """Returns the jumps after most features have settled, in order and without overlap.

  A jump is a window in which some D_i change by more than JUMP while the smoothed loss falls. A
  feature is settled if its D_i changed by at most SETTLED between two windows and one window before
  the jump. All other settled features must stay from there to the jump's end, so that nothing else
  is still on its way. Among overlapping windows, the one with the largest change is the jump.
  """
  window = round(WINDOW * (len(loss) - 1))
  jumps: list[Event] = []
  sizes: list[float] = []
  for start in range(2 * window, len(loss) - window):
    event, size = _event(dimensionality, smoothed(loss), start, window)
    if event and jumps and start < jumps[-1].after:
      if size > sizes[-1]:
        jumps[-1], sizes[-1] = event, size
    elif event:
      jumps.append(event)
      sizes.append(size)
  return jumps


def _event(
  dimensionality: Float[np.ndarray, "step feature"],
  low: Float[np.ndarray, "step"],
  start: int,
  window: int,
) -> tuple[Event | None, float]:
  """Returns the jump that begins at a recorded step, if any, and the sum of its changes.

  Args:
    dimensionality: D_i.
    low: smoothed loss.
    start: index of the step.
    window: number of steps.
  """
  rest, end = start - window, start + window
  settled = np.ptp(dimensionality[rest - window : rest + 1], axis=0) <= SETTLED
  change = np.abs(dimensionality[end] - dimensionality[start])
  movers = change > JUMP
  since = np.abs(dimensionality[rest : end + 1] - dimensionality[rest])
  others_stay = np.all(since[:, settled & ~movers] <= SETTLED)
  drop = float(low[start] - low[end])
  if settled.mean() < SETTLED_SHARE or not movers.any() or not others_stay or drop <= 0:
    return None, 0.0
  return Event(start, end, np.flatnonzero(movers), drop), float(change[movers].sum())


def trainings(dataset: "xr.Dataset") -> list["xr.Dataset"]:
  """Returns the restarts one by one."""
  if "restart" not in dataset.dims:
    return [dataset]
  return [dataset.isel(restart=k) for k in range(dataset.sizes["restart"])]


def events_of(model: "xr.Dataset") -> list[Event]:
  """Returns the jumps of one training."""
  dimensionality = model["history_dimensionality"].transpose("step", "feature").values
  return events(dimensionality, model["history_loss"].values)


def final_dimensionalities(model: "xr.Dataset") -> Float[np.ndarray, "represented"]:
  """Returns D_i of the represented features of a trained model."""
  W = model["W"].values
  return dimensionalities(W)[is_represented(W)]
