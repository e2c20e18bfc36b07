"""What an analysis is."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from jax.sharding import Mesh

from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr


class Claim(NamedTuple):
  """One statement about the results, with the number that decides it."""

  statement: str
  measured: str  # our number
  expected: str  # what theory or the paper says, with the tolerance
  verdict: str  # one of VERDICTS


CONFIRMED, CONTRADICTED, UNDECIDED = "confirmed", "contradicted", "not decided at this scale"
REPORTED = "reported"  # a number without a threshold
VERDICTS = (CONFIRMED, CONTRADICTED, UNDECIDED, REPORTED)


class Analysis(NamedTuple):
  """A row of the ANALYSES table."""

  measures: tuple[str, ...]  # that must be among the results
  # (values, axis names, groups) → None; raises UserError where the theory does not apply.
  check: Callable[[Mapping[str, Any], Sequence[str], Sequence[Group]], None]
  # (dataset, mesh, memory budget in bytes) → dataset with the theory's variables.
  run: Callable[["xr.Dataset", Mesh, int], "xr.Dataset"]
  claims: Callable[["xr.Dataset"], list[Claim]]  # from the dataset that `run` returned
