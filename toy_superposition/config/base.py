"""What a config starts from: the defaults of every field, other configs, and axes for a sweep.

A config is a file of Python code whose get_config() returns a diff on the defaults, or on another
config:

  from toy_superposition.config import base

  def get_config():
    config = base.get_config()  # or base.shipped("phase_change:quick")
    config.name = "mine"
    config.model.n_features = 6
    base.set_axes(config, density=base.log("density.base", 1, 0.01, 8))
    return config

Fields, with their meaning, range and the paper's value, are declared beside the code that uses
them; all of them are printed by

  python -m toy_superposition.main --config=base --config.name=any --print_config

Fields are overridden on the command line by their dotted name, for example
--config.train.steps=10000.
"""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from ml_collections import ConfigDict

from toy_superposition import fields, sweeps
from toy_superposition.config import execute
from toy_superposition.config import source as sources
from toy_superposition.errors import UserError, nearest


def get_config() -> ConfigDict:
  """Returns the defaults, locked: a mistyped field raises."""
  config = ConfigDict()
  for name, default in fields.defaults().items():
    section, _, leaf = name.rpartition(".")
    if section and section not in config:
      config[section] = ConfigDict()
    (config[section] if section else config)[leaf] = default
  config.axis = ConfigDict()  # one entry per axis, made by linear, log, points or restarts below
  config.lock()
  return config


def shipped(name: str) -> ConfigDict:
  """Returns a config that comes with the package, such as "correlated_pairs:quick".

  Raises:
    UserError: there is no such config or variant.
  """
  return execute.get_config(name)


def after(source: str) -> ConfigDict:
  """Returns the config of models that are trained on hidden activations of trained models.

  Features and densities are those of the source, whose axes become the first of the sweep; the
  target is what the models see, and they have no measures of feature directions.

  Args:
    source: the folder of a finished run or its URL, or a config, which is trained first.

  Raises:
    UserError: there is no such run or config.
  """
  config = get_config()
  for name, value in sources.shared_fields(sources.config_of(source)).items():
    section, _, leaf = name.rpartition(".")
    config[section][leaf] = value
  config.source, config.data.input, config.data.target = source, "hidden", "input"
  config.measures = ()
  return config


def linear(field: str, start: int | float, stop: int | float, num: int) -> ConfigDict:
  """Returns an axis of `num` points from start to stop, evenly spaced."""
  return _axis(field=field, scale="linear", start=float(start), stop=float(stop), num=num)


def log(field: str, start: int | float, stop: int | float, num: int) -> ConfigDict:
  """Returns an axis of `num` points from start to stop, evenly spaced in the logarithm."""
  return _axis(field=field, scale="log", start=float(start), stop=float(stop), num=num)


def points(field: str, points: Iterable[Any]) -> ConfigDict:
  """Returns an axis of the given points: numbers, or names such as models."""
  is_array = hasattr(points, "__array__")  # made plain when the config is resolved
  return _axis(field=field, scale="points", points=points if is_array else tuple(points))


def restarts(num: int) -> ConfigDict:
  """Returns an axis of `num` repetitions that differ in their random numbers only."""
  return _axis(field="", scale="restarts", num=num)


def together(values: Mapping[str, Iterable[Any]], labels: Iterable[str]) -> ConfigDict:
  """Returns an axis that sets several fields together: one value of each per point.

  Models of one program, such as one method at several strengths, train together. In the results the
  fields are further coordinates of the axis.

  Args:
    values: dotted field → its value at every point.
    labels: of the points.
  """
  entries = {f"values_{k}": tuple(points) for k, points in enumerate(values.values())}
  return _axis(field="", scale="together", fields=tuple(values), points=tuple(labels), **entries)


def set_axes(config: ConfigDict, **axes: ConfigDict) -> None:
  """Sets the sweep's axes, in the order given."""
  with config.unlocked():
    config.axes = tuple(axes)
    config.axis = ConfigDict(axes)


def sweep(config: ConfigDict | str, **axes: Any) -> ConfigDict:
  """Returns a copy of a config with these axes in the place of its own, in the order given.

    ts.sweep(config, density=[1, 0.3, 0.1], rate=base.log("train.learning_rate", 1e-3, 0.1, 5))

  An axis may have any name. A number of repetitions, as `restarts` makes, is an integer; points are
  those of the field that the name stands for: density for density.base, n_hidden for
  model.n_hidden. Any other axis is made by `linear`, `log`, `points`, `restarts` or `together`.

  Args:
    config: as get_config returns it, or the name of one that comes with the package.
    **axes: name → an axis, points, or the number of repetitions.

  Raises:
    UserError: a name stands for no field, or for several.
  """
  copied = shipped(config) if isinstance(config, str) else copy.deepcopy(config)
  set_axes(copied, **{name: _axis_of(name, value) for name, value in axes.items()})
  return copied


def _axis_of(name: str, value: Any) -> ConfigDict:
  """Returns the axis that a value of `sweep` describes."""
  if isinstance(value, ConfigDict):
    return value
  if isinstance(value, int):
    return restarts(value)
  fields_by_word: dict[str, list[str]] = {}
  for field in sweeps.axis_fields():
    words = {field.rpartition(".")[2], field.replace(".", "_"), field.removesuffix(".base")}
    for word in words:
      fields_by_word.setdefault(word, []).append(field)
  chosen = fields_by_word.get(name, [])
  if len(chosen) != 1:
    among = f"it could be {' or '.join(chosen)}" if chosen else "no field has this name"
    raise UserError(
      f"axis {name!r}: {among}{'' if chosen else nearest(name, fields_by_word)}; allowed: an axis "
      f"that names it, such as base.points({(chosen or ['train.learning_rate'])[0]!r}, …)"
    )
  return points(chosen[0], value)


def choose(variant: str | None, allowed: tuple[str, ...]) -> str:
  """Returns the variant that a config's name has after its colon, or "" without one.

  Raises:
    UserError: the variant is not one of `allowed`.
  """
  if variant and variant not in allowed:
    raise UserError(f"unknown variant {variant!r}; allowed: {', '.join(allowed)}, or none")
  return variant or ""


def _axis(**entry) -> ConfigDict:
  return ConfigDict(entry)
