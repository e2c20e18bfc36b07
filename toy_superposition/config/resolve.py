"""ConfigDict → ResolvedConfig: everything is checked here, before any device is touched."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from toy_superposition import declare, experiments, fields, inputs, sweeps
from toy_superposition.config import cross_checks, execute, limits, outside
from toy_superposition.config.axes import RESERVED, make_axes
from toy_superposition.config.source import CONTENT, from_folder, is_config, untrained, with_axes
from toy_superposition.config.source import check as check_source
from toy_superposition.declare import Text, check_choice
from toy_superposition.errors import UserError, nearest, not_allowed
from toy_superposition.experiments import requirements
from toy_superposition.measures import MEASURES
from toy_superposition.sweeps import Axis, Source
from toy_superposition.types import Group, Spec


@dataclasses.dataclass(frozen=True)
class ResolvedConfig:
  """A checked config, ready to run."""

  name: str
  values: Mapping[str, Any]  # every field by its dotted name, JSON-able
  axes: tuple[Axis, ...]
  groups: tuple[Group, ...]
  measures: tuple[str, ...]
  experiment: str  # name of an experiment, or "none"
  outside: Mapping[str, str]  # what rows from outside the package compute, as hashes
  source: Source | None = None  # trained models that these are trained on

  @property
  def identity(self) -> dict[str, Any]:
    """What decides the results: two runs with equal identities agree.

    These are the fields that do not say how a run is executed; and for rows from outside the
    package, whose names may stand for anything, what they compute.
    """
    own = {k: v for k, v in self.values.items() if not k.startswith(fields.EXECUTION)}
    return own | dict(self.outside) | ({CONTENT: self.source.content} if self.source else {})

  def analysis_bytes(self, spec: Spec) -> int:
    """Returns the bytes that the experiment's analysis of one model is planned to take."""
    if self.experiment == "none":
      return 0
    return experiments.get(self.experiment).working_bytes(spec)


def resolve(config: ConfigDict, source: Source | None = None) -> ResolvedConfig:
  """Returns what a config describes.

  Args:
    config: every field.
    source: trained models for a second stage; by default those of the folder that config.source
      names, or zeros in the place of those of the config that it names.

  Raises:
    UserError: names the field, the value found, what is allowed, and the nearest valid name.
  """
  return resolve_values(execute.values_of(config), source)


def resolve_values(values: Mapping[str, Any], source: Source | None = None) -> ResolvedConfig:
  """Returns what a config's fields by dotted name describe, such as a manifest keeps.

  This is where values become plain: NumPy's and JAX's scalars become Python's, and lists, which
  JSON has for tuples, become tuples.

  Raises:
    UserError: as `resolve` does.
  """
  known = fields.fields()
  for name in values:
    if name not in known and not name.startswith("axis."):
      raise UserError(f"config.{name}: there is no such field{nearest(name, known)}")
  of_rows = {name: known[name].declaration.default for name in known if known[name].rows}
  values = of_rows | {name: declare.plain(value) for name, value in values.items()}
  missing = [name for name in known if name not in values]
  if missing:
    raise UserError(f"config.{missing[0]}: missing; every config starts from base.get_config()")
  for name, field in known.items():
    field.declaration.check(name, values[name])
  Text("", "").check("experiment", values["experiment"])  # it names the figures' files
  _check_measures(values["measures"])
  source = source or _source(values)
  if source:
    values = with_axes(values, source)
  axes = make_axes(values)
  if source:
    check_source(values, axes, source)
  elif inputs.INPUTS[values["data.input"]].needs_source:
    needed = f"a run or a config with config.data.input={values['data.input']!r}"
    raise not_allowed("source", "", needed)
  parts = sweeps.make_parts(values, axes, source)
  limits.check_parts(values, axes, parts)
  groups = tuple(sweeps.make_groups(axes, parts, source))
  if values["experiment"] != "none":
    requirements.check(values["experiment"], values, axes, groups)
  cross_checks.check(values, axes, groups)
  return ResolvedConfig(
    name=values["name"],
    values=values,
    axes=axes,
    groups=groups,
    measures=values["measures"],
    experiment=values["experiment"],
    outside=outside.identity(values, axes, groups),
    source=source,
  )


def _source(values: Mapping[str, Any]) -> Source | None:
  """Returns the trained models that a config names, or zeros for those still to be trained."""
  text = values["source"]
  if not text:
    return None
  if not is_config(text):
    return from_folder(text)
  try:
    return untrained(resolve(execute.get_config(text)))
  except UserError as error:
    raise UserError(f"config.source: {str(error).removeprefix('config.source: ')}") from error


def _check_measures(names: Sequence[str]) -> None:
  """Checks the measures against their table, which may have rows that a user added."""
  for name in names:
    check_choice("measures", name, MEASURES)
    if name in RESERVED:
      raise not_allowed("measures", name, "a name that no other variable of the results has")
    Text("", "").check("measures", name)
