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

from toy_superposition.models import MODELS
from toy_superposition.profiles import PROFILES
from toy_superposition.types import Group, Instance, Spec

Scalar = bool | int | float | str

# Numbers of an instance: an axis over one of these costs no compilation.
INSTANCE_FIELDS = (
  "density.base",
  "density.ratio",
  "importance.base",
  "importance.ratio",
  "train.learning_rate",
)
# Spec field → config field: an axis over one of these compiles once per value.
SPEC_FIELDS = {
  "model": "model.name",
  "n_features": "model.n_features",
  "n_hidden": "model.n_hidden",
  "distribution": "data.distribution",
  "set_size": "data.set_size",
  "generator": "data.generator",
  "target": "data.target",
  "reduction": "loss.reduction",
  "hidden_l1": "loss.hidden_l1",
  "attack": "loss.attack",
  "init_scheme": "init.scheme",
  "init_scale": "init.scale",
  "init_n_instances": "init.n_instances",
  "optimizer": "train.optimizer",
  "b1": "train.b1",
  "b2": "train.b2",
  "epsilon": "train.epsilon",
  "momentum": "train.momentum",
  "weight_decay": "train.weight_decay",
  "schedule": "train.schedule",
  "warmup_steps": "train.warmup_steps",
  "steps": "train.steps",
  "batch_size": "train.batch_size",
  "estimator": "train.estimator",
  "precision": "train.precision",
  "seed": "seed",
}
# Fields that change the shape of the parameters: results along them cannot share an array.
SHAPE_FIELDS = ("model.n_features", "model.n_hidden")


class Axis(NamedTuple):
  """One dimension of a sweep."""

  name: str  # of the dimension in the results
  field: str  # dotted config field that it sets; "" for repetitions with fresh random numbers
  points: tuple[Scalar, ...]

  @property
  def splits(self) -> bool:
    """Whether every point is a group, and a program, of its own."""
    return self.field in SPEC_FIELDS.values()

  @property
  def reshapes(self) -> bool:
    """Whether results at two points have arrays of different shapes, or different arrays."""
    if self.field == "model.name":
      return len({MODELS[str(point)].params for point in self.points}) > 1
    return self.field in SHAPE_FIELDS


def make_spec(values: Mapping[str, Scalar]) -> Spec:
  """Returns the Spec with each field at its config field's value."""
  fields = {field.name: values[SPEC_FIELDS[field.name]] for field in dataclasses.fields(Spec)}
  return Spec(**fields)  # type: ignore[arg-type]


def make_instances(
  values: Mapping[str, Scalar], columns: Mapping[str, np.ndarray], index: np.ndarray, n: int
) -> Instance:
  """Returns the instances of one group: `columns` over `index`, base values elsewhere."""

  def column(field: str) -> np.ndarray:
    points = np.asarray(columns.get(field, values[field]), dtype=float)
    return np.broadcast_to(points, index.shape)

  def per_feature(name: str) -> np.ndarray:
    profile = PROFILES[str(values[f"{name}.profile"])]
    return profile(column(f"{name}.base"), column(f"{name}.ratio"), n).astype(np.float32)

  with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is refused
    return Instance(
      index=index.astype(np.int32),
      density=per_feature("density"),
      importance=per_feature("importance"),
      learning_rate=column("train.learning_rate").astype(np.float32),
    )


def make_groups(values: Mapping[str, Scalar], axes: Sequence[Axis]) -> list[Group]:
  """Returns the groups of a sweep, in the order of the axes.

  An instance's index is its position in the whole sweep, last axis fastest, so an instance keeps
  its random numbers when axes of groups and axes of instances trade places in the layout.
  """
  shape = tuple(len(axis.points) for axis in axes)
  n_instances = math.prod(shape)
  position = np.arange(n_instances).reshape(shape)
  all_cells = np.indices(shape).reshape(len(axes), n_instances).T
  splitting = [k for k, axis in enumerate(axes) if axis.splits]
  groups = []
  for chosen in itertools.product(*(range(shape[k]) for k in splitting)):
    where: list[int | slice] = [slice(None)] * len(axes)
    group_values = dict(values)
    for k, i in zip(splitting, chosen, strict=True):
      where[k] = i
      group_values[axes[k].field] = axes[k].points[i]
    index = np.ravel(position[tuple(where)])
    cells = all_cells[index]
    columns = {
      axis.field: np.asarray(axis.points)[cells[:, k]]
      for k, axis in enumerate(axes)
      if axis.field in INSTANCE_FIELDS
    }
    spec = make_spec(group_values)
    groups.append(Group(spec, make_instances(group_values, columns, index, spec.n_features), cells))
  return groups
