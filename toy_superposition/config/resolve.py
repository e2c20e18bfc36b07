"""ConfigDict → ResolvedConfig: everything is checked here, before any device is touched."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from ml_collections import ConfigDict

from toy_superposition import fields, sweep
from toy_superposition.config import cross_checks
from toy_superposition.config.axes import RESERVED, make_axes
from toy_superposition.declare import check_choice
from toy_superposition.errors import UserError, nearest, not_allowed
from toy_superposition.experiments import requirements
from toy_superposition.measures import MEASURES
from toy_superposition.sweep import Axis
from toy_superposition.types import Group


@dataclasses.dataclass(frozen=True)
class ResolvedConfig:
  """A checked config, ready to run."""

  name: str
  values: Mapping[str, Any]  # every field by its dotted name, JSON-able
  axes: tuple[Axis, ...]
  groups: tuple[Group, ...]
  measures: tuple[str, ...]
  experiment: str  # name of an experiment, or "none"

  @property
  def identity(self) -> dict[str, Any]:
    """The fields that decide the results: two runs with equal identities agree."""
    return {k: v for k, v in self.values.items() if not k.startswith(fields.EXECUTION)}


def resolve(config: ConfigDict) -> ResolvedConfig:
  """Returns what a config describes.

  Raises:
    UserError: names the field, the value found, what is allowed, and the nearest valid name.
  """
  return resolve_values(dict(_flatten(config.to_dict())))


def resolve_values(values: Mapping[str, Any]) -> ResolvedConfig:
  """Returns what a config's fields by dotted name describe, such as a manifest keeps.

  Raises:
    UserError: as `resolve` does.
  """
  known = fields.fields()
  for name in values:
    if name not in known and not name.startswith("axis."):
      raise UserError(f"config.{name}: there is no such field{nearest(name, known)}")
  values = {name: known[name].declaration.default for name in known if known[name].rows} | dict(
    values
  )
  missing = [name for name in known if name not in values]
  if missing:
    raise UserError(f"config.{missing[0]}: missing; a config starts from configs/base.py")
  for name, field in known.items():
    field.declaration.check(name, values[name])
  axes = make_axes(values)
  for name in values["measures"]:  # the table may have rows that a user added
    check_choice("measures", name, MEASURES)
    if name in RESERVED:
      raise not_allowed("measures", name, "a name that no other variable of the results has")
  groups = tuple(sweep.make_groups(values, axes))
  if values["experiment"] != "none":
    requirements.check(values["experiment"], values, axes, groups)
  cross_checks.check(values, axes, groups)
  return ResolvedConfig(
    values["name"], values, axes, groups, tuple(values["measures"]), values["experiment"]
  )


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
  for key, value in tree.items():
    if isinstance(value, Mapping):
      yield from _flatten(value, f"{prefix}{key}.")
    else:
      yield prefix + key, value
