"""What an analysis is, and what several of them need."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jax.sharding import Mesh

from toy_superposition.errors import UserError
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr


class Claim(NamedTuple):
  """One statement about the results, with the number that decides it."""

  statement: str
  measured: str  # our number, with its spread over restarts or seeds
  expected: str  # what theory or the paper says, with the tolerance
  verdict: str  # one of VERDICTS


CONFIRMED, CONTRADICTED, UNDECIDED = "confirmed", "contradicted", "not decided at this scale"
REPORTED = "reported"  # a number without a threshold
VERDICTS = (CONFIRMED, CONTRADICTED, UNDECIDED, REPORTED)


def unchanged(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset: nothing has to be computed before figures and claims."""
  del mesh, memory_budget
  return dataset


class Analysis(NamedTuple):
  """A row of the ANALYSES table."""

  section: str  # of the paper
  measures: tuple[str, ...]  # that must be among the results
  # (values, axis names, groups) → None; raises UserError where the theory does not apply.
  check: Callable[[Mapping[str, Any], Sequence[str], Sequence[Group]], None]
  # From the dataset that `run` returned; with `across`, from records.results.gathered.
  claims: Callable[["xr.Dataset"], list[Claim]]
  # (dataset, mesh, memory budget in bytes) → dataset with the theory's variables.
  run: Callable[["xr.Dataset", Mesh, int], "xr.Dataset"] = unchanged
  of_trained: bool = True  # whether it is about trained models, and 0 steps say nothing
  # Whether claims and figures are about all shapes of a sweep together: of the numbers of each.
  across: bool = False
  # Whether wall times are stored with the results, which two runs then no longer agree in.
  timed: bool = False


def verdict(holds: bool | np.bool_, decided: bool | np.bool_ = True) -> str:
  """Returns the verdict on a statement; `decided` is whether the numbers can decide it."""
  if not decided:
    return UNDECIDED
  return CONFIRMED if holds else CONTRADICTED


def require(values: Mapping[str, Any], name: str, wanted: Mapping[str, Any]) -> None:
  """Checks that fields of the config have the values that an analysis is about.

  Args:
    values: every field of the config.
    name: of the analysis.
    wanted: field → its only value, or a set of the allowed ones.

  Raises:
    UserError: names the first field that differs, and what is allowed.
  """
  for field, value in wanted.items():
    allowed = value if isinstance(value, set | frozenset) else {value}
    if values[field] not in allowed:
      listed = " or ".join(repr(one) for one in sorted(allowed, key=str))
      raise UserError(
        f"config.{field}: {values[field]!r} is not allowed with analysis {name!r}, which holds for "
        f"{listed}; set config.analysis to 'none' to run without it"
      )


def require_axes(
  values: Mapping[str, Any],
  name: str,
  fields: Mapping[str, str],
  optional: Collection[str] = ("restart",),
) -> None:
  """Checks the sweep's axes: all of `fields`, which say what each one sets, and `optional` ones.

  Raises:
    UserError: an axis is missing or unknown, or sets another field.
  """
  axes = values["axes"]
  if not set(fields) <= set(axes) <= {*fields, *optional}:
    raise UserError(
      f"config.axes: {tuple(axes)} is not allowed with analysis {name!r}; allowed: "
      f"{(*fields, *optional)}, in any order, with or without {', '.join(optional) or 'others'}"
    )
  require(values, name, {f"axis.{axis}.field": field for axis, field in fields.items()})
