"""On which levels feature dimensionalities end, and whether they jump between them.

Paper, section "Learning Dynamics", discrete energy level jumps.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from toy_superposition.experiments.experiment import REPORTED, Claim, verdict
from toy_superposition.experiments.learning_dynamics_jumps.analysis import (
  JUMP,
  LEVELS,
  ON_A_LEVEL,
  SETTLED,
  SETTLED_SHARE,
  WINDOW,
  Event,
  events_of,
  final_dimensionalities,
  trainings,
)

if TYPE_CHECKING:
  import xarray as xr

MIN_SHARE = 0.9  # of represented features that end on a level
MIN_TRAININGS = 8
MIN_COMPARED = 5  # trainings with several jumps: all of 5 agree by chance in one of 32 cases
ERRORS = 2  # standard errors that a drop of the loss differs from 0
MIN_STEPS = 101  # recorded steps, so that a jump's window has five of them


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the paper's statements about levels and jumps."""
  models = trainings(dataset)
  final = [final_dimensionalities(model) for model in models]
  jumps = [events_of(model) for model in models]
  decided = len(models) >= MIN_TRAININGS and dataset.sizes["step"] >= MIN_STEPS
  return [
    *_level_claims(final, decided),
    *_jump_claims(models, jumps, decided),
    _order_claim(models, jumps, decided),
  ]


def _shares(final: Sequence[np.ndarray], levels: Sequence[float]) -> Float[np.ndarray, "training"]:
  """Returns the share of each training's represented features that are on one of the levels."""
  at = np.array(levels)
  near = [np.abs(D[:, None] - at[None, :]).min(axis=1) < ON_A_LEVEL for D in final]
  return np.array([on_level.mean() if len(on_level) else 0.0 for on_level in near])


def _level_claims(final: Sequence[np.ndarray], decided: bool) -> list[Claim]:
  """Where features end."""
  on, digons = _shares(final, LEVELS), _shares(final, LEVELS[:1])
  return [
    Claim(
      f"share of represented features that end within {ON_A_LEVEL} of D = 1/2, 2/3 or 3/4",
      f"mean {on.mean():.1%} ({on.min():.0%} to {on.max():.0%} in {len(on)} trainings)",
      f"≥ {MIN_SHARE:.0%}",
      verdict(bool(on.mean() >= MIN_SHARE), decided=decided),
    ),
    Claim(
      "trainings in which all represented features end as digons, D = 1/2",
      f"{(digons == 1).sum()} of {len(digons)} trainings",
      "at least 1 training (the paper's is one)",
      verdict(bool((digons == 1).any()), decided=decided),
    ),
  ]


def _judged(model: "xr.Dataset", events: Sequence[Event]) -> Float[np.ndarray, "2 jump"]:
  """Returns by how much the loss falls at the jumps of a training, and the standard errors, as
  shares of the final loss."""
  at = [event.before for event in events]
  numbers = [model[name].values[at] for name in ("judged_drop", "drop_error")]
  return np.array(numbers).reshape(2, len(at)) / float(model["history_loss"][-1])


def _jump_claims(
  models: Sequence["xr.Dataset"], jumps: Sequence[Sequence[Event]], decided: bool
) -> list[Claim]:
  """Jumps after most features have settled: how many, and how the loss falls."""
  counts = [len(events) for events in jumps]
  judged = [_judged(model, events) for model, events in zip(models, jumps, strict=True)]
  drops, errors = np.concatenate(judged, axis=1)
  last = [
    float(model["step"][events[-1].after] / model["step"][-1])
    for model, events in zip(models, jumps, strict=True)
    if events
  ]
  some = sum(counts) > 0
  falls, rises = drops > ERRORS * errors, drops < -ERRORS * errors
  return [
    Claim(
      f"after {SETTLED_SHARE:.0%} of features have settled, some D_i jumps by > {JUMP} within "
      f"{WINDOW:.0%} of training, while other settled D_i stay ± {SETTLED}",
      f"{sum(k > 0 for k in counts)} of {len(models)} trainings, {sum(counts)} jumps in all",
      "at least 1 training",
      verdict(some, decided=decided),
    ),
    Claim(
      "the loss falls at every jump of a D_i: drops on fresh examples, as shares of the final loss",
      f"{drops.min():.2%} to {drops.max():.2%}, median {np.median(drops):.2%}, standard errors up "
      f"to {errors.max():.2%}; falls at {falls.sum()} of {len(drops)} jumps, rises at {rises.sum()}"
      if some
      else "–",
      f"> {ERRORS} standard errors at each",
      verdict(bool(falls.all()), decided=decided and some and bool(rises.any() or falls.all())),
    ),
    Claim(
      "time at which the last jump of a D_i ends, as a share of training",
      f"{min(last):.0%} to {max(last):.0%}" if some else "–",
      "depends on the run",
      REPORTED,
    ),
  ]


def _order_claim(
  models: Sequence["xr.Dataset"], jumps: Sequence[Sequence[Event]], decided: bool
) -> Claim:
  """The paper's training has two jumps: a tiny drop of the loss, then a larger one."""
  judged = [
    _judged(model, events) for model, events in zip(models, jumps, strict=True) if len(events) > 1
  ]
  more = np.array([drops[-1] - drops[0] for drops, _ in judged])
  error = np.array([np.hypot(errors[0], errors[-1]) for _, errors in judged])
  larger, smaller = more > ERRORS * error, more < -ERRORS * error
  measured = f"{len(judged)} trainings with several jumps"
  if judged:
    measured += (
      f"; drop at the last less that at the first, as a share of the final loss: {more.min():+.2%} "
      f"to {more.max():+.2%}; larger in {larger.sum()}, smaller in {smaller.sum()}"
    )
  settled = bool(smaller.any() or larger.all())
  return Claim(
    "the last jump of a training lowers the loss by more than its first one, on fresh examples",
    measured,
    f"in every training, by > {ERRORS} standard errors; {MIN_COMPARED} trainings or more",
    verdict(bool(larger.all()), decided=decided and len(judged) >= MIN_COMPARED and settled),
  )
