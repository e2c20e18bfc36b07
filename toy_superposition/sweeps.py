"""Axes × base values → groups of instances.

Values are looked up by dotted config field. A field that is data to the program becomes a column
over instances; a field that is compiled in splits the sweep into groups. Columns are expanded for
all instances at once: no config is copied per cell.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from toy_superposition import declare, distributions, fields, inputs
from toy_superposition.errors import UserError
from toy_superposition.models import params_class
from toy_superposition.types import Group, Instance, Spec

Scalar = bool | int | float | str

# Fields that change the shape of the parameters: results along them cannot share an array.
SHAPE_FIELDS = ("model.n_features", "model.n_hidden")
# Fields outside of training, which an axis cannot set: all models of a sweep share them.
UNSWEPT = ("name", "experiment", "source", "axes", "measures", "history.", "evaluation.", "run.")
# They decide for all instances together.
PROFILED = ("density.profile", "importance.profile")
# Swept fields that are arrays of the instance of their own.
OWN = ("density.", "importance.", "train.learning_rate")


class Axis(NamedTuple):
  """One dimension of a sweep."""

  name: str  # of the dimension in the results
  field: str  # dotted config field that it sets; "" for repetitions with fresh random numbers
  points: tuple[Scalar, ...]
  # Fields that it sets together, each with one value per point; `points` are then their labels.
  together: tuple[tuple[str, tuple[Scalar, ...]], ...] = ()

  @property
  def sets(self) -> dict[str, tuple[Scalar, ...]]:
    """The fields that it sets, each with its value at every point."""
    return ({self.field: self.points} if self.field else {}) | dict(self.together)

  @property
  def splits(self) -> bool:
    """Whether its points are groups, and programs, of their own: those with different values of
    fields that are compiled in."""
    return not all(map(is_swept, self.sets))

  @property
  def reshapes(self) -> bool:
    """Whether results at two points have arrays of different shapes, or different arrays."""
    models = {params_class(str(name)) for name in self.sets.get("model.name", ())}
    return len(models) > 1 or not {*self.sets}.isdisjoint(SHAPE_FIELDS)

  def choices(self) -> list[tuple[dict[str, Scalar], np.ndarray]]:
    """Returns its points grouped by the values of fields that are compiled in: (values, positions
    of the points), in the order of the first ones."""
    chosen: dict[tuple[Scalar, ...], list[int]] = {}
    splitting = {field: values for field, values in self.sets.items() if not is_swept(field)}
    for i in range(len(self.points)):
      chosen.setdefault(tuple(values[i] for values in splitting.values()), []).append(i)
    return [(dict(zip(splitting, key, strict=True)), np.array(at)) for key, at in chosen.items()]


def is_swept(field: str) -> bool:
  """Returns whether an axis over a field costs no compilation: a number of each instance."""
  return fields.fields()[field].declaration.swept


def axis_fields() -> tuple[str, ...]:
  """Returns the fields that an axis may set: swept numbers, and what is compiled in."""
  several = (declare.Names, declare.Numbers, declare.Integers)  # values per point
  return tuple(
    name
    for name, field in fields.fields().items()
    if not (name.startswith(UNSWEPT) or name in PROFILED or isinstance(field.declaration, several))
  )


def fields_in_use(values: Mapping[str, Scalar], axes: Sequence[Axis]) -> set[str]:
  """Returns the fields that have an effect at some point of a sweep, whose axes may choose rows."""
  choices = [dict(values)]
  for axis in axes:
    rows = [
      {field: points[i] for field, points in axis.sets.items() if field in declare.TABLES}
      for i in range(len(axis.points))
    ]
    distinct = {tuple(row.items()): row for row in rows}
    choices = [choice | row for choice in choices for row in distinct.values()]
  return set().union(*(fields.in_use(choice) for choice in choices))


def make_instances(
  values: Mapping[str, Any], columns: Mapping[str, np.ndarray], index: np.ndarray, *, spec: Spec
) -> Instance:
  """Returns the instances of one group: `columns` over `index`, base values elsewhere."""

  def column(field: str) -> np.ndarray:
    points = np.asarray(columns.get(field, values[field]), dtype=float)
    return np.broadcast_to(points, index.shape)

  def per_feature(name: str) -> np.ndarray:
    chooser = f"{name}.profile"
    chosen = str(values[chooser])
    own = (
      f"{name}.{attribute}" for attribute, _ in declare.declared(declare.TABLES[chooser][chosen])
    )
    profile = declare.build(chooser, chosen, {field: column(field) for field in own})
    made = profile.values(column(f"{name}.base"), spec.n_features)
    if factors := values[f"{name}.values"]:
      made = made * np.asarray(factors, dtype=float)
    return made.astype(np.float32)

  with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is refused
    density = per_feature("density")
    importance = per_feature("importance")
    learning_rate = column("train.learning_rate").astype(np.float32)
  return Instance(
    index=index.astype(np.int32),
    density=spec.row("data.distribution").densities(density).astype(np.float32),
    importance=importance,
    learning_rate=learning_rate,
    numbers=numbers(values, columns, len(index)),
  )


def numbers(
  values: Mapping[str, Any], columns: Mapping[str, np.ndarray], n_instances: int
) -> dict[str, np.ndarray]:
  """Returns the swept fields in use that are single numbers of instances, by field.

  Penalties and perturbations that are 0 in all instances are left out.

  Args:
    values: of the config.
    columns: field of an axis → its values, of shape (instance,).
    n_instances: how many there are.
  """
  known, used = fields.fields(), fields.in_use(values)
  found = {
    field: np.broadcast_to(np.float32(columns.get(field, values[field])), n_instances)
    for field in known
    if field in used and known[field].declaration.swept and not field.startswith(OWN)
  }
  for field in fields.optional():
    if not found[field].any():
      for unused in fields.of_optional(field):
        del found[unused]
  return found


def with_consequences(spec: Spec, instances: Instance) -> Spec:
  """Returns a group's Spec with what follows from the numbers of its instances."""
  return dataclasses.replace(
    spec,
    rare=distributions.any_rare(instances.density),
    active=tuple(field for field in fields.optional() if field in instances.numbers),
  )


class Source(NamedTuple):
  """Trained models on which the models of a second stage are trained, the last axis fastest."""

  values: Mapping[str, Any]  # of their config
  axes: tuple[Axis, ...]
  spec: Spec  # of all of them
  params: Mapping[str, np.ndarray]  # with a leading axis
  density: np.ndarray  # (model, feature)
  content: str  # hash of all of this

  def rows(self, axes: Sequence[Axis], cells: np.ndarray) -> np.ndarray:
    """Returns the number of the source's model for cells of a sweep that has its axes."""
    names = [axis.name for axis in axes]
    shape = tuple(len(axis.points) for axis in self.axes)
    places = tuple(cells[:, names.index(axis.name)] for axis in self.axes)
    return np.ravel_multi_index(places, shape) if places else np.zeros(len(cells), int)


class Part(NamedTuple):
  """One group of a sweep before its arrays are made."""

  spec: Spec
  values: Mapping[str, Scalar]  # of the config, with the points of the axes that split the sweep
  where: tuple[np.ndarray, ...]  # the group's points on every axis
  n_models: int


def make_parts(
  values: Mapping[str, Scalar], axes: Sequence[Axis], source: Source | None = None
) -> list[Part]:
  """Returns the groups of a sweep without their arrays, in the order of the axes."""
  parts = []
  for chosen in itertools.product(*(axis.choices() for axis in axes)):
    own = dict(values)
    for fixed, _ in chosen:
      own |= fixed
    where = tuple(at for _, at in chosen)
    spec = dataclasses.replace(fields.make_spec(own), source=source and source.spec)
    parts.append(Part(spec, own, where, math.prod(map(len, where))))
  return parts


def make_groups(
  axes: Sequence[Axis], parts: Sequence[Part], source: Source | None = None
) -> list[Group]:
  """Returns the groups of a sweep, made of all its parts.

  An instance's index is its position in the whole sweep, last axis fastest, so an instance keeps
  its random numbers when axes of groups and axes of instances trade places in the layout.
  """
  shape = tuple(len(axis.points) for axis in axes)
  n_instances = math.prod(shape)
  position = np.arange(n_instances).reshape(shape)
  all_cells = np.indices(shape).reshape(len(axes), n_instances).T
  groups = []
  for part in parts:
    index = np.ravel(position[np.ix_(*part.where)])
    cells = all_cells[index]
    columns = {
      field: np.asarray(points)[cells[:, k]]
      for k, axis in enumerate(axes)
      for field, points in axis.sets.items()
      if is_swept(field)
    }
    group = _group(part, columns, index, cells)
    groups.append(_with_source(group, axes, source) if source else group)
  return groups


def _group(
  part: Part, columns: Mapping[str, np.ndarray], index: np.ndarray, cells: np.ndarray
) -> Group:
  """Returns the group of a part of a sweep, with what follows from its numbers in its Spec."""
  instances = make_instances(part.values, columns, index, spec=part.spec)
  spec = with_consequences(part.spec, instances)
  given = spec.row("data.input").given(spec, instances.numbers)
  return Group(spec, dataclasses.replace(instances, given=given), cells)


def _with_source(group: Group, axes: Sequence[Axis], source: Source) -> Group:
  """Returns a group with the parameters of the source's model at the same points.

  Raises:
    UserError: the densities are not the source's.
  """
  rows = source.rows(axes, group.cells)
  if not np.array_equal(group.instances.density, source.density[rows]):
    raise UserError(
      "config.density: the densities of the features are not those of config.source; "
      "base.after(source) copies them"
    )
  frozen = {f"{inputs.SOURCE}{name}": leaf[rows] for name, leaf in source.params.items()}
  given = frozen | (group.instances.given or {})
  return group._replace(instances=dataclasses.replace(group.instances, given=given))
