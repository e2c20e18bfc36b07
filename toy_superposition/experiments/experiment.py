"""What an experiment is: a question to trained models, with the claims and figure that answer it.

An experiment is a folder of its own. It runs once after training; the variables that it adds are
stored with the results, so that claims and figures are made of results alone.
"""

import importlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jax.sharding import Mesh

from toy_superposition.errors import UserError
from toy_superposition.experiments import excess, trained
from toy_superposition.repetitions import RESTART, as_restarts, repetitions
from toy_superposition.types import Group, Spec

if TYPE_CHECKING:
  import xarray as xr
  from matplotlib.figure import Figure


class Claim(NamedTuple):
  """One statement about the results, with the number that decides it."""

  statement: str
  measured: str  # our number, with its spread over restarts or seeds
  expected: str  # what theory or the paper says, with the tolerance
  verdict: str  # one of VERDICTS


CONFIRMED, CONTRADICTED, UNDECIDED = "confirmed", "contradicted", "not decided at this scale"
IDENTITY = "identity"  # true of every model, or computed without one: training could not fail it
REPORTED = "reported"  # a number without a threshold
VERDICTS = (CONFIRMED, CONTRADICTED, UNDECIDED, IDENTITY, REPORTED)


MISSING = re.compile(r"No variable named '(\w+)'")  # what xarray says


def verdict(holds: bool | np.bool_, decided: bool | np.bool_ = True) -> str:
  """Returns the verdict on a statement; `decided` is whether the numbers can decide it."""
  if not decided:
    return UNDECIDED
  return CONFIRMED if holds else CONTRADICTED


def identity(holds: bool | np.bool_, decided: bool | np.bool_ = True) -> str:
  """Returns the verdict on a statement that cannot fail unless a calculation is wrong."""
  found = verdict(holds, decided)
  return IDENTITY if found == CONFIRMED else found


def unchanged(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset: nothing has to be computed before claims and figure."""
  del mesh, memory_budget
  return dataset


def accepted(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Accepts every config that fulfils `requires`."""
  del values, groups


def figure_in(package: str) -> Callable[["xr.Dataset"], "Figure"]:
  """Returns the function `draw` of a package's module `figure`, imported at its first call.

  The figure's title gets a line about the spread over restarts that it shows: the module's SPREAD.
  """

  def draw(dataset: "xr.Dataset") -> "Figure":
    module = importlib.import_module(f"{package}.figure")
    spread = importlib.import_module("toy_superposition.drawing.spread")  # imports matplotlib
    figure = module.draw(dataset)
    spread.say(figure, dataset, module.SPREAD)
    return figure

  return draw


@dataclass(frozen=True)
class Experiment:
  """An experiment: what its config must hold, what is computed, claimed and drawn."""

  section: str  # of the paper
  claims: Callable[["xr.Dataset"], list[Claim]]  # of the dataset that `run` returned
  figure: Callable[["xr.Dataset"], "Figure"] | None = None
  # Dotted field → its only value, or a frozenset of the allowed ones: what the claims are about,
  # beside the paper's defaults (requirements.PAPER).
  requires: Mapping[str, Any] = field(default_factory=dict)
  # Fields that may differ from the paper's defaults. A field that stands in neither is refused.
  may_vary: Collection[str] = ()
  axes: Mapping[str, str] = field(default_factory=dict)  # axis → field that it sets; all are needed
  optional_axes: Mapping[str, str] = field(default_factory=lambda: {"restart": ""})
  measures: tuple[str, ...] = ()  # that must be among the results
  # Rows of CERTIFICATES that are computed whatever they cost, where they apply.
  certificates: tuple[str, ...] = ()
  # (dataset, mesh, memory budget in bytes) → dataset with the theory's variables.
  run: Callable[["xr.Dataset", Mesh, int], "xr.Dataset"] = unchanged
  # Bytes that `run` takes for one model, beside its frozen arrays; models are analysed in slices.
  working_bytes: Callable[[Spec], int] = trained.working_bytes
  # Relations between fields, beyond `requires`: raises UserError where the claims do not apply.
  refuses: Callable[[Mapping[str, Any], Sequence[Group]], None] = accepted
  # Whether claims are about the best restart, of which a diverged one is only a bad one. Claims of
  # other experiments are about every seed, and one that diverged leaves them undecided.
  of_best: bool = False
  trained: bool = True  # needs trained models: refuses train.steps = 0
  # Whether claims and figure compare all model sizes of a sweep, rather than one at a time.
  compares_sizes: bool = False
  # Whether results include wall times; two runs are then not bit-identical.
  stores_wall_times: bool = False

  def named(self, dataset: "xr.Dataset") -> "xr.Dataset":
    """Returns a dataset whose axis of restarts has this experiment's name for it, `restart`,
    whatever the config calls it."""
    known = {**self.axes, **self.optional_axes}
    if RESTART not in known or set(repetitions(dataset)) & known.keys():
      return dataset
    return as_restarts(dataset)

  def computed(self, dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
    """Returns the dataset with the experiment's variables and the section that it is about."""
    named = self.named(dataset)
    found = self.run(named, mesh, memory_budget).assign_attrs(section=self.section)
    return found if named is dataset else found.rename({RESTART: repetitions(dataset)[0]})

  def drawn(self, dataset: "xr.Dataset") -> "Figure":
    """Returns the experiment's figure.

    Raises:
      UserError: the dataset lacks a variable that the figure shows.
    """
    assert self.figure is not None
    try:
      return self.figure(self.named(dataset))
    except KeyError as error:
      if missing := MISSING.match(str(error.args[0])):
        raise UserError(f"the dataset has no {missing[1]!r}, which the figure shows") from error
      raise

  def decide(self, dataset: "xr.Dataset") -> list[Claim]:
    """Returns the claims about stored results; none is decided by models that have diverged, and
    one alone says so if an earlier version wrote them without a variable of today's claims."""
    dataset = self.named(dataset)
    try:
      rows = self.claims(dataset)
    except KeyError as error:
      missing = MISSING.match(str(error.args[0]))
      if not missing:
        raise
      return [Claim(*_earlier(missing[1]), UNDECIDED)]
    if marked := excess.mark(dataset):
      rows = [*rows, Claim(*marked, UNDECIDED)]
    if not _diverged(dataset, self.of_best):
      return rows
    return [
      row._replace(verdict=UNDECIDED, measured=f"{row.measured}; some models diverged")
      if row.verdict in (CONFIRMED, CONTRADICTED)
      else row
      for row in rows
    ]


def _earlier(missing: str) -> tuple[str, str, str]:
  """Returns statement, measured and expected of results without a variable of today's analysis."""
  return (
    "these results, of an earlier version, have all that today's claims are decided by",
    f"no variable {missing!r}",
    "a new run of the same command, with --overwrite",
  )


def _diverged(dataset: "xr.Dataset", of_best: bool) -> bool:
  """Returns whether any model is not finite, or with `of_best` all restarts of any cell."""
  if "finite" not in dataset:
    return False
  finite = dataset["finite"] == 1
  if of_best and "restart" in finite.dims:
    finite = finite.any("restart")
  return not bool(finite.all())
