"""Axes × base values → groups of instances.

Values are looked up by dotted config field. A field that is data to the program becomes a column
over instances; a field that is compiled in splits the sweep into groups. Columns are expanded for
all instances at once: no config is copied per cell.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from toy_superposition import declare, distributions, fields
from toy_superposition.models import params_class
from toy_superposition.types import Group, Instance, Spec

Scalar = bool | int | float | str

# Fields that change the shape of the parameters: results along them cannot share an array.
SHAPE_FIELDS = ("model.n_features", "model.n_hidden")
# Fields outside of training, which an axis cannot set: all models of a sweep share them.
UNSWEPT = ("name", "experiment", "axes", "measures", "history.", "evaluation.", "run.")
PROFILED = ("density.profile", "importance.profile")  # they decide for all instances together


class Axis(NamedTuple):
  """One dimension of a sweep."""

  name: str  # of the dimension in the results
  field: str  # dotted config field that it sets; "" for repetitions with fresh random numbers
  points: tuple[Scalar, ...]

  @property
  def splits(self) -> bool:
    """Whether every point is a group, and a program, of its own."""
    return bool(self.field) and not is_swept(self.field)

  @property
  def reshapes(self) -> bool:
    """Whether results at two points have arrays of different shapes, or different arrays."""
    if self.field == "model.name":
      return len({params_class(str(point)) for point in self.points}) > 1
    return self.field in SHAPE_FIELDS


def is_swept(field: str) -> bool:
  """Returns whether an axis over a field costs no compilation: a number of each instance."""
  return fields.fields()[field].declaration.swept


def axis_fields() -> tuple[str, ...]:
  """Returns the fields that an axis may set: swept numbers, and what is compiled in."""
  return tuple(
    name for name in fields.fields() if not name.startswith(UNSWEPT) and name not in PROFILED
  )


def fields_in_use(values: Mapping[str, Scalar], axes: Sequence[Axis]) -> set[str]:
  """Returns the fields that have an effect at some point of a sweep, whose axes may choose rows."""
  choices = [dict(values)]
  for axis in axes:
    if axis.field in declare.TABLES:
      choices = [choice | {axis.field: point} for choice in choices for point in axis.points]
  return set().union(*(fields.in_use(choice) for choice in choices))


def make_instances(
  values: Mapping[str, Scalar],
  columns: Mapping[str, np.ndarray],
  index: np.ndarray,
  *,
  n_features: int,
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
    return profile.values(column(f"{name}.base"), n_features).astype(np.float32)

  with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is refused
    return Instance(
      index=index.astype(np.int32),
      density=per_feature("density"),
      importance=per_feature("importance"),
      learning_rate=column("train.learning_rate").astype(np.float32),
    )


class Part(NamedTuple):
  """One group of a sweep before its arrays are made."""

  spec: Spec
  values: Mapping[str, Scalar]  # of the config, with the points of the axes that split the sweep
  where: tuple[int | slice, ...]  # the group's cells in the grid of all axes
  n_models: int


def make_parts(values: Mapping[str, Scalar], axes: Sequence[Axis]) -> list[Part]:
  """Returns the groups of a sweep without their arrays, in the order of the axes."""
  splitting = [k for k, axis in enumerate(axes) if axis.splits]
  n_models = math.prod(len(axis.points) for axis in axes if not axis.splits)
  parts = []
  for chosen in itertools.product(*(range(len(axes[k].points)) for k in splitting)):
    where: list[int | slice] = [slice(None)] * len(axes)
    own = dict(values)
    for k, i in zip(splitting, chosen, strict=True):
      where[k] = i
      own[axes[k].field] = axes[k].points[i]
    parts.append(Part(fields.make_spec(own), own, tuple(where), n_models))
  return parts


def make_groups(axes: Sequence[Axis], parts: Sequence[Part]) -> list[Group]:
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
    index = np.ravel(position[part.where])
    cells = all_cells[index]
    columns = {
      axis.field: np.asarray(axis.points)[cells[:, k]]
      for k, axis in enumerate(axes)
      if axis.field and not axis.splits
    }
    instances = make_instances(part.values, columns, index, n_features=part.spec.n_features)
    spec = dataclasses.replace(part.spec, rare=distributions.any_rare(instances.density))
    groups.append(Group(spec, instances, cells))
  return groups
