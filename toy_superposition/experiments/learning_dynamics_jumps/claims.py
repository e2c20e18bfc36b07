"""Feature dimensionalities during training: they sit on levels and jump between them.

Paper, section "Learning Dynamics", discrete energy level jumps.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import (
  REPORTED,
  Analysis,
  Claim,
  require,
  require_axes,
  verdict,
)
from toy_superposition.geometry.components import dimensionalities
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

NAME = "learning_dynamics_jumps"
LEVELS = (1 / 2, 2 / 3, 3 / 4)
ON_A_LEVEL, MOST = 0.03, 0.9  # largest distance from a level; least share of features on one
REPRESENTED = 0.3  # least ‖W_i‖² of a feature
JUMP, SHARE_OF_TRAINING = 0.15, 0.05  # a D_i changes by more within this share of the steps
SETTLED, SETTLED_SHARE = 0.05, 0.8  # largest change of a settled D_i, and least share of them
ENOUGH = 8  # seeds
ENOUGH_KEPT = 101  # steps, so that a jump's window has five of them
SMOOTHED = 3  # kept steps that one value of the smoothed loss averages


class Event(NamedTuple):
  """One jump of one training: indices of kept steps, and what happens between them."""

  before: int
  after: int
  movers: np.ndarray  # features whose D_i changes
  drop: float  # of the smoothed loss


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the paper's statements are not about the experiment."""
  del axes, groups
  wanted = {
    "model.name": "relu_output",
    "data.distribution": "sparse_uniform",
    "data.target": "identity",
    "density.profile": "uniform",
    "importance.profile": "uniform",
    "history.scale": "linear",
  }
  require(values, NAME, wanted)
  require_axes(values, NAME, {})
  if values["history.num"] < 2 / SHARE_OF_TRAINING:
    raise UserError(
      f"config.history.num: {values['history.num']} is not allowed with analysis {NAME!r}, which "
      f"looks at {SHARE_OF_TRAINING:.0%} of training at a time; allowed: "
      f"{2 / SHARE_OF_TRAINING:.0f} or more"
    )


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with every feature's dimensionality at every kept step."""
  del mesh, memory_budget
  history = dataset["history_W"].transpose(..., "step", "hidden", "feature")
  attributes = {"long_name": "D_i during training"}
  found = dimensionalities(history.values.astype(float))
  return dataset.assign(history_dimensionality=((*history.dims[:-2], "feature"), found, attributes))


def smoothed(loss: Float[np.ndarray, "step"]) -> Float[np.ndarray, "step"]:
  """Returns a moving average; at the ends, of the values that there are."""
  kernel = np.ones(SMOOTHED)
  return np.convolve(loss, kernel, "same") / np.convolve(np.ones(len(loss)), kernel, "same")


def events(
  dimensionality: Float[np.ndarray, "step feature"], loss: Float[np.ndarray, "step"]
) -> list[Event]:
  """Returns the jumps after most features have settled, in order and without overlap.

  A jump is a window in which some D_i change by more than JUMP while the smoothed loss falls. A
  feature counts as settled if its D_i changed by at most SETTLED between two windows and one
  window before; all others of these have to stay from there to the jump's end, so that nothing
  else is still on its way. Of the windows over the same jump, the one of the largest change is it.
  """
  window = round(SHARE_OF_TRAINING * (len(loss) - 1))
  found: list[Event] = []
  sizes: list[float] = []
  for start in range(2 * window, len(loss) - window):
    event, size = _event(dimensionality, smoothed(loss), start, window)
    if event and found and start < found[-1].after:
      if size > sizes[-1]:
        found[-1], sizes[-1] = event, size
    elif event:
      found.append(event)
      sizes.append(size)
  return found


def _event(
  dimensionality: Float[np.ndarray, "step feature"],
  low: Float[np.ndarray, "step"],
  start: int,
  window: int,
) -> tuple[Event | None, float]:
  """Returns the jump that begins at a kept step, if there is one, and the sum of its changes."""
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


def represented(model: "xr.Dataset") -> Float[np.ndarray, "represented"]:
  """Returns the final D_i of the represented features."""
  W = model["W"].values
  return dimensionalities(W)[(W**2).sum(axis=0) > REPRESENTED]


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the trainings say about levels and jumps."""
  models = trainings(dataset)
  final = [represented(model) for model in models]
  found = [events_of(model) for model in models]
  decided = len(models) >= ENOUGH and dataset.sizes["step"] >= ENOUGH_KEPT
  return [*_level_claims(final, decided), *_jump_claims(models, found, decided)]


def _shares(final: Sequence[np.ndarray], levels: Sequence[float]) -> np.ndarray:
  """Returns the share of each training's represented features that are on one of the levels."""
  at = np.array(levels)
  near = [np.abs(D[:, None] - at[None, :]).min(axis=1) < ON_A_LEVEL for D in final]
  return np.array([one.mean() if len(one) else 0.0 for one in near])


def _level_claims(final: Sequence[np.ndarray], decided: bool) -> list[Claim]:
  """Where features end."""
  on, digons = _shares(final, LEVELS), _shares(final, LEVELS[:1])
  return [
    Claim(
      f"represented features that end within {ON_A_LEVEL} of D = 1/2, 2/3 or 3/4",
      f"{on.mean():.1%} ({on.min():.0%} to {on.max():.0%} of {len(on)} trainings)",
      f"≥ {MOST:.0%}",
      verdict(bool(on.mean() >= MOST), decided=decided),
    ),
    Claim(
      "trainings in which all represented features end as digons, D = 1/2",
      f"{(digons == 1).sum()} of {len(digons)}",
      "one at least, as the paper's",
      verdict(bool((digons == 1).any()), decided=decided),
    ),
  ]


def _jump_claims(models, found: Sequence[Sequence[Event]], decided: bool) -> list[Claim]:
  """That jumps occur after most features have settled, and what they are worth."""
  number = [len(one) for one in found]
  losses = [float(model["history_loss"][-1]) for model in models]
  drops = [
    event.drop / loss for events, loss in zip(found, losses, strict=True) for event in events
  ]
  last = [
    float(model["step"][events[-1].after] / model["step"][-1])
    for model, events in zip(models, found, strict=True)
    if events
  ]
  some = bool(drops)
  return [
    Claim(
      f"after {SETTLED_SHARE:.0%} of features have settled, some D_i jumps by > {JUMP} within "
      f"{SHARE_OF_TRAINING:.0%} of training, the loss falls, other settled D_i stay ± {SETTLED}",
      f"{sum(k > 0 for k in number)} of {len(models)} trainings, {sum(number)} jumps in all",
      "one training at least",
      verdict(some, decided=decided or some),
    ),
    Claim(
      "the loss falls in jumps of different sizes: drops, as shares of the final loss",
      f"{min(drops):.2%} to {max(drops):.2%}, median {np.median(drops):.2%}" if some else "–",
      "the paper: a tiny one, then a larger one",
      REPORTED,
    ),
    Claim(
      "when the last jump of a training is over, as a share of training",
      f"{min(last):.0%} to {max(last):.0%}" if some else "–",
      "depends on the run",
      REPORTED,
    ),
  ]


ANALYSIS = Analysis("Learning Dynamics", (), check, claims, run)
