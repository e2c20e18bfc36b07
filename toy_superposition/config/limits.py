"""Counts and memory of a sweep, checked before an array of it is made."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition import sizes, text
from toy_superposition.declare import MAX_INTEGER
from toy_superposition.devices import memory
from toy_superposition.draws import MAX_WORDS
from toy_superposition.errors import UserError, not_allowed
from toy_superposition.sweeps import Axis, Part
from toy_superposition.types import Spec

MAX_AXES = 29  # HDF5 stores arrays of at most 32 dimensions, and a history adds three
MAX_GROUPS = 10_000  # each is a program that has to be compiled
MAX_LOGS = 1_000_000  # lines of metrics of one group
MAX_HISTORY = 100_000  # steps, each a file
# Bytes that describe a model on the host: per axis its positions, and per feature density and
# importance in float32 with the intermediate float64 arrays.
AXIS_BYTES, FEATURE_BYTES = 16, 32
HISTORY_COPIES = 2  # on the host: as it is scored, and in the results


def check_axes(axes: Sequence[Axis]) -> None:
  """Checks the number of axes, of models and of programs.

  Raises:
    UserError: there are too many; names the axes and how many are allowed.
  """
  names = tuple(axis.name for axis in axes)
  if len(axes) > MAX_AXES:
    raise not_allowed("axes", names, f"at most {MAX_AXES} axes")
  if (n := math.prod(len(axis.points) for axis in axes)) > MAX_INTEGER:
    raise not_allowed("axes", names, f"fewer than 2³¹ instances in all, not {n}")
  splitting = [axis for axis in axes if axis.splits]
  if (n := math.prod(len(axis.choices()) for axis in splitting)) > MAX_GROUPS:
    named = tuple(axis.name for axis in splitting)
    raise not_allowed("axes", named, f"at most {MAX_GROUPS} programs to compile, not {n}")


def check_parts(values: Mapping[str, Any], axes: Sequence[Axis], parts: Sequence[Part]) -> None:
  """Checks the sizes of the groups of a sweep.

  Raises:
    UserError: an array would exceed a counter or the machine's memory, or there would be too many
      steps to record; names the field, its value and what is allowed.
  """
  specs = [part.spec for part in parts]
  _check_logs(values, max(spec.steps for spec in specs))
  _check_described(axes, parts)
  for spec in specs:
    _check_factors(values, spec)
    _check_draws(spec)
  _check_history(values, parts)


def _check_logs(values: Mapping[str, Any], steps: int) -> None:
  """Checks the number of steps at which metrics are written."""
  every = values["run.log_every"]
  if every and steps // every > MAX_LOGS:
    allowed = f"0, or at least {-(-steps // MAX_LOGS)} for {steps} steps"
    raise not_allowed("run.log_every", every, allowed)


def _check_described(axes: Sequence[Axis], parts: Sequence[Part]) -> None:
  """Checks that the numbers of all models fit into the machine's memory."""
  available = memory.machine_bytes()

  def described(part: Part, n_models: int) -> int:
    return n_models * (AXIS_BYTES * (len(axes) + 1) + FEATURE_BYTES * part.spec.n_features)

  widest = max(parts, key=lambda part: part.spec.n_features)
  if (taken := described(widest, 1)) > available:
    n_features = widest.spec.n_features
    raise _too_large(
      "model.n_features", n_features, "features; the numbers of one model", taken, available
    )
  if (taken := sum(described(part, part.n_models) for part in parts)) > available:
    n_models = sum(part.n_models for part in parts)
    names = tuple(axis.name for axis in axes)
    raise _too_large("axes", names, f"points; the numbers of {n_models} models", taken, available)


def _check_factors(values: Mapping[str, Any], spec: Spec) -> None:
  """Checks that factors are as many as features."""
  for field in ("density.values", "importance.values"):
    if len(values[field]) not in (0, spec.n_features):
      raise not_allowed(
        field, values[field], f"none, or one factor for each of the {spec.n_features} features"
      )


def _check_draws(spec: Spec) -> None:
  """Checks that every random number of a step has a counter of its own."""
  n_draws = spec.row("data.distribution").n_draws(spec.n_features)
  most = MAX_WORDS // max(1, n_draws)  # a set may be larger than the number of features
  if spec.batch_size > most:
    raise not_allowed("train.batch_size", spec.batch_size, f"at most {most} for these features")


def _check_history(values: Mapping[str, Any], parts: Sequence[Part]) -> None:
  """Checks that a history has not too many steps, and fits into the machine's memory."""
  num = values["history.num"]
  if not num:
    return
  if num > MAX_HISTORY:
    raise not_allowed("history.num", num, f"at most {MAX_HISTORY}")
  stored = min(num, max(part.spec.steps for part in parts) + 1)
  available = memory.machine_bytes()
  of_a_step = sum(part.n_models * sizes.params_bytes(part.spec) for part in parts)
  taken = HISTORY_COPIES * stored * of_a_step
  if taken > available:
    n_models = sum(part.n_models for part in parts)
    what = f"steps; the parameters of {n_models} models at {stored} steps"
    raise _too_large("history.num", num, what, taken, available)


def _too_large(field: str, value: Any, what: str, taken: int, available: int) -> UserError:
  """Returns the error for a field without which `what` would fit into the machine's memory."""
  there = f"{text.size(taken)}, and this machine has {text.size(available)}"
  return not_allowed(field, value, f"fewer {what} take {there}")
