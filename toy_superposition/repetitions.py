"""Axes along which models differ in their random numbers alone, whatever these axes are called."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toy_superposition.errors import UserError, nearest

if TYPE_CHECKING:
  import xarray as xr

RESTART = "restart"
USUAL = (RESTART, "seed")  # names that repetitions have where nothing else is known of an axis


def repetitions(dataset: "xr.Dataset") -> list[str]:
  """Returns the axes of a dataset that repeat a training: those of restarts, and over the seed.

  The models of a source (config.source) are no repetitions: each is another problem.
  """
  try:
    values = json.loads(dataset.attrs["config"])
  except (KeyError, TypeError, ValueError, RecursionError):
    values = {}
  values = values if isinstance(values, dict) else {}
  return [str(dim) for dim in dataset.dims if _repeats(str(dim), dataset, values)]


def _repeats(dim: str, dataset: "xr.Dataset", values: Mapping[str, Any]) -> bool:
  scale, field = values.get(f"axis.{dim}.scale"), values.get(f"axis.{dim}.field")
  if scale is None and dim in dataset.coords:
    field = dataset[dim].attrs.get("config_field", "")
  named = dim in USUAL and not field
  if scale is None or (scale == "source" and not values.get("source")):
    return named or field == "seed"
  return scale == "restarts" or field == "seed"


def as_restarts(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns a dataset whose repetitions are one axis called restart.

  Two axes of repetitions become one. A dataset without repetitions is returned as it is, and so is
  one whose axis restart is none, such as that of a source.
  """
  axes = repetitions(dataset)
  if axes in ([], [RESTART]) or (RESTART in dataset.dims and RESTART not in axes):
    return dataset
  if len(axes) == 1 and RESTART not in dataset.variables:
    return dataset.rename({axes[0]: RESTART})
  plain = dataset.drop_vars([name for name in (*axes, RESTART) if name in dataset.coords])
  joined = plain.stack({"repetition": axes}, create_index=False).rename(repetition=RESTART)
  return joined.assign_coords({RESTART: range(joined.sizes[RESTART])})


def axes_of(
  loss: "xr.DataArray", dataset: "xr.Dataset", over: str | Sequence[str] | None
) -> list[str]:
  """Returns the axes that `over` names, by default the repetitions of a dataset.

  Args:
    loss: of its models; its axes are those of the sweep.
    dataset: that has it.
    over: a name, or several; None for the repetitions, of which there may be none.

  Raises:
    UserError: the models have no such axis.
  """
  there = [str(dim) for dim in loss.dims]
  if over is None:
    return [name for name in repetitions(dataset) if name in there]
  named = [over] if isinstance(over, str) else list(over)
  for name in named:
    if name not in there:
      known = ", ".join(there) or "none"
      raise UserError(f"over: no axis {name!r}{nearest(name, there)}; there are: {known}")
  return named
