"""The defaults of every config, and the axes of a sweep.

An experiment's config is a diff on `get_config()`. Fields, with their meaning, range and the
paper's value, are declared beside the code that uses them; all of them are printed by

  python -m toy_superposition.main --config=configs/base.py --config.name=any --print_config

Fields are overridden on the command line by their dotted name, for example
--config.train.steps=10000.
"""

import ml_collections
from ml_collections import ConfigDict

from toy_superposition import fields


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


def linear(field: str, start: float, stop: float, num: int) -> ConfigDict:
  """Returns an axis of `num` points from start to stop, evenly spaced."""
  return _axis(field=field, scale="linear", start=float(start), stop=float(stop), num=num)


def log(field: str, start: float, stop: float, num: int) -> ConfigDict:
  """Returns an axis of `num` points from start to stop, evenly spaced in the logarithm."""
  return _axis(field=field, scale="log", start=float(start), stop=float(stop), num=num)


def points(field: str, points: tuple) -> ConfigDict:
  """Returns an axis of the given points: numbers, or names such as models."""
  return _axis(field=field, scale="points", points=points)


def restarts(num: int) -> ConfigDict:
  """Returns an axis of `num` repetitions that differ in their random numbers only."""
  return _axis(field="", scale="restarts", num=num)


def set_axes(config: ConfigDict, **axes: ConfigDict) -> None:
  """Sets the sweep's axes, in the order given."""
  with config.unlocked():
    config.axes = tuple(axes)
    config.axis = ConfigDict(axes)


def choose(variant: str | None, allowed: tuple[str, ...]) -> str:
  """Returns the part after the colon of --config=file.py:variant, or "" without one.

  Raises:
    ValueError: the variant is not one of `allowed`.
  """
  if variant and variant not in allowed:
    raise ValueError(f"unknown variant {variant!r}; allowed: {', '.join(allowed)}, or none")
  return variant or ""


def _axis(**entry) -> ConfigDict:
  return ml_collections.ConfigDict(entry)
