"""All fields of a config, gathered from where they are declared.

Fields of training are declared in `types.Spec` and in the rows of its tables; those of the two
profiles, of history, of evaluation and of the run itself in the sections below.
"""

import dataclasses
import functools
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from toy_superposition import declare, estimators, evaluation, objective, perturbations, profiles
from toy_superposition.declare import (
  Declaration,
  choice,
  flag,
  integer,
  names,
  number,
  numbers,
  path,
  text,
)
from toy_superposition.distributions import ERROR, LEAST
from toy_superposition.errors import UserError
from toy_superposition.perturbations import Dropout, IsotropicNoise, Noise
from toy_superposition.types import Spec

# All tables are registered once these are imported: those of models, distributions, targets,
# generators, initialisers, optimizers and schedules by the estimators.
_TABLES = (estimators.ESTIMATORS, evaluation.EVALUATIONS, profiles.PROFILES)


@dataclasses.dataclass(frozen=True)
class General:
  """What an experiment is called, and what is asked of its results."""

  name: str = text("", "names the default folder, runs/<name>", of="name")
  experiment: str = text(
    "none", "whose claims and figure are made of the results (--list), or none", of="experiment"
  )
  source: str = path(
    "",
    "trained models for data.input='hidden': the folder of a finished run or its URL, or a config "
    "that is trained first",
    of="source",
  )
  axes: tuple[str, ...] = names(
    (), "names of the sweep's axes, in the order of the results' dimensions", of="axes"
  )
  measures: tuple[str, ...] = names(
    ("feature_norm", "superposition", "feature_dimensionality", "dimensions_per_feature"),
    "computed from every trained model, rows of MEASURES",
    of="measures",
  )


@dataclasses.dataclass(frozen=True)
class Features:
  """Density and importance of every feature: one number, spread by a profile."""

  density_profile: str = choice(
    "uniform",
    "density p = 1 − S, the probability that a feature is active: uniform, base for every feature; "
    "geometric, base·ratioⁱ; zipf, from base to base·ratio along a power law; pareto, adding up to "
    "base and falling along a power law, exponentially or linearly; first_apart or last_apart, "
    "base·ratio for the first or last feature and base for the others",
    of="density.profile",
  )
  density_values: tuple[float, ...] = numbers(
    (),
    "≥ 0",
    "one factor per feature, multiplied with the profile's; (): none",
    of="density.values",
  )
  density_base: float = number(
    0.1,
    "[0, 1]",
    "density that the profile spreads; a feature's is 0, or "
    f"{LEAST:g} to 1, and its probability and moments are right within {100 * ERROR:g} %",
    of="density.base",
    swept=True,
  )
  importance_profile: str = choice(
    "uniform",
    "importance I_i, the weight of feature i's squared error; profiles as for density",
    of="importance.profile",
  )
  importance_values: tuple[float, ...] = numbers(
    (),
    "≥ 0",
    "one factor per feature, multiplied with the profile's; (): none",
    of="importance.values",
  )
  importance_base: float = number(
    1.0, "≥ 0", "importance that the profile spreads", of="importance.base", swept=True
  )


@dataclasses.dataclass(frozen=True)
class History:
  """Parameters during training, stored with the results as history_W, …"""

  num: int = integer(
    0,
    "≥ 0",
    "number of steps at which parameters are stored, both ends included; 0: none",
    of="history.num",
  )
  scale: str = choice(
    "log", "how these steps are spaced", of="history.scale", names=("log", "linear")
  )


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """How the losses in the results are obtained."""

  method: str = choice(
    "sampled",
    "sampled, or exact: the expected loss by quadrature, for few features",
    of="evaluation.method",
  )
  n_samples: int = integer(
    102_400,
    "≥ 1",
    "fresh examples, the same uniform numbers for all instances",
    of="evaluation.n_samples",
  )


@dataclasses.dataclass(frozen=True)
class Run:
  """Execution settings; may change when a run is resumed."""

  log_every: int = integer(
    0,
    "≥ 0",
    "steps between metrics; 0: a twentieth of the steps",
    of="run.log_every",
  )
  checkpoint_seconds: float = number(
    30.0,
    "≥ 0",
    "time of training between checkpoints, at most; 0: one at every pause of training",
    of="run.checkpoint_seconds",
  )
  memory_gib: float = number(
    0.0,
    "≥ 0",
    "GiB that one slice of instances may take; 0: a quarter of the machine's memory, or "
    "half of the accelerators'",
    of="run.memory_gib",
  )
  feature_devices: int = integer(
    0,
    "≥ 0",
    "devices that share the features of one instance; 0: as few as its memory needs, "
    "which is 1 on CPU, whose devices share one memory",
    of="run.feature_devices",
  )
  peer_timeout: int = integer(
    100,
    "≥ 1",
    "seconds without an answer from a machine of a distributed run before it is "
    "considered lost and the others stop",
    of="run.peer_timeout",
  )
  tensorboard: bool = flag(
    False,
    "write event files too: metrics, histograms and figures (extra `tensorboard`)",
    of="run.tensorboard",
  )


SECTIONS = (General, Spec, Noise, Dropout, IsotropicNoise, Features, History, Evaluation, Run)
# The order in which a config is printed; within a group, that of the declarations.
ORDER = (
  *(
    "name",
    "seed",
    "experiment",
    "source",
    "model",
    "init",
    "data",
    "density",
    "importance",
    "loss",
  ),
  *("train", "axes", "history", "evaluation", "measures", "run"),
)
# Fields that decide how a run is executed, not what it computes.
EXECUTION = ("run.",)


class Field(NamedTuple):
  """A field of a config."""

  declaration: Declaration
  rows: tuple[str, ...] = ()  # that declare it; none if it belongs to every config


def sections() -> tuple[type, ...]:
  """Returns the classes whose fields every config has: SECTIONS, and all penalties."""
  return (*SECTIONS, *objective.PENALTIES.values())


def optional() -> tuple[str, ...]:
  """Returns the fields of penalties and perturbations whose value 0 means that there is none."""
  weights = (f"loss.{name}" for name in objective.PENALTIES)
  return (*perturbations.FIELDS, *weights)


def of_optional(field: str) -> tuple[str, ...]:
  """Returns the fields of the penalty or perturbation with this one, which have no effect at 0."""
  for section in sections():
    names = tuple(declaration.of for _, declaration in declare.declared(section))
    if field in names:
      return names
  return ()


def fields() -> dict[str, Field]:
  """Returns every field by its dotted name, in the order in which a config is printed.

  Tables are read when this is called: a row may be added at any time.

  Raises:
    UserError: two rows of a table declare the same field differently.
  """
  rows = (
    (chooser, name, row)
    for chooser, table in declare.TABLES.items()
    for name, row in table.items()
    if isinstance(row, type)  # others declare nothing
  )
  return dict(_gathered(sections(), tuple(rows)))


@functools.lru_cache(maxsize=1)
def _gathered(sections: tuple[type, ...], rows: tuple[Any, ...]) -> dict[str, Field]:
  """Returns `fields` of the tables as they are: `rows` is all that is declared in them."""
  del rows
  gathered: dict[str, Field] = {}
  for section in sections:
    for _, declaration in declare.declared(section):
      gathered[declaration.of] = Field(declaration)
      _add_rows(gathered, declaration.of)
  return dict(sorted(gathered.items(), key=lambda item: ORDER.index(item[0].partition(".")[0])))


def _add_rows(gathered: dict[str, Field], chooser: str) -> None:
  """Adds the fields of the rows among which a field chooses, and of their rows."""
  section = chooser.rpartition(".")[0]
  for row_name, row in declare.TABLES.get(chooser, {}).items():
    for attribute, declaration in declare.declared(row):
      name = f"{section}.{attribute}"
      known = gathered.get(name)
      if known and known.declaration != declaration:
        others = ", ".join(known.rows) or "every config"
        raise UserError(
          f"config.{name} is declared by {row_name} in another way than by {others}; allowed: one "
          "declaration for all, or another name"
        )
      rows = known.rows if known else ()
      gathered[name] = Field(declaration, (*rows, row_name))
      if not known:
        _add_rows(gathered, name)


def defaults() -> dict[str, Any]:
  """Returns every field's default by its dotted name."""
  return {name: field.declaration.default for name, field in fields().items()}


def in_use(values: Mapping[str, Any]) -> set[str]:
  """Returns the fields that have an effect: those of every config and of the rows it chose."""
  used: set[str] = set()
  for section in sections():
    for _, declaration in declare.declared(section):
      used |= {declaration.of, *_of_row(declaration.of, values)}
  return used


def _of_row(chooser: str, values: Mapping[str, Any]) -> Iterator[str]:
  """Yields the fields of the row that a field chose, and of the rows chosen by them."""
  section = chooser.rpartition(".")[0]
  row = declare.TABLES[chooser].get(values[chooser]) if chooser in declare.TABLES else None
  for attribute, _ in declare.declared(row):
    yield f"{section}.{attribute}"
    yield from _of_row(f"{section}.{attribute}", values)


def in_use_by(chooser: str, values: Mapping[str, Any]) -> set[str]:
  """Returns the fields of the row that a field chose, and of the rows chosen by them."""
  return set(_of_row(chooser, values))


def make_spec(values: Mapping[str, Any]) -> Spec:
  """Returns the Spec of a config's fields; those of rows that were not chosen do not enter."""
  known = fields()
  attributes = {name: values[one.of] for name, one in declare.declared(Spec)}
  chosen: list[tuple[str, Any]] = []
  for _, declaration in declare.declared(Spec):
    for name in _of_row(declaration.of, values):
      if not known[name].declaration.swept:
        chosen.append((name, declare.plain(values[name])))  # JSON has lists for tuples
  return Spec(**attributes, hyperparameters=tuple(chosen))


def describe(values: Mapping[str, Any]) -> str:
  """Returns every field of a config as text: its value, its comment, and what is allowed."""
  known = fields()
  lines = []
  for name in [*known, *(name for name in values if name not in known)]:
    if name in values:
      lines.append(f"{name} = {values[name]!r}")
    if name in known:
      declaration, rows = known[name]
      names = [*getattr(declaration, "names", ()), *declare.TABLES.get(name, ())]
      allowed = ", ".join(names) or declaration.allowed
      owners = f"; for {', '.join(rows)}" if rows else ""
      comment = f"{declaration.about} [{allowed}{owners}]"
      lines += textwrap.wrap(comment, 96, initial_indent="  # ", subsequent_indent="  # ")
  return "\n".join(lines)
