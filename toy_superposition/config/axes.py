"""Axes of a config: their points, computed and checked one by one."""

import collections
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from toy_superposition import fields, sweeps
from toy_superposition.config import limits
from toy_superposition.declare import Integer, Text, check_choice, is_integer, is_real
from toy_superposition.errors import UserError, nearest, not_allowed
from toy_superposition.measures import MEASURES
from toy_superposition.models import PARAM_DIMS
from toy_superposition.records import schema
from toy_superposition.sweeps import Axis

SCALES = ("linear", "log", "points", "restarts", "together", "source")
MAX_POINTS = 1_000_000  # of one axis
# Names that neither an axis nor a measure may take: other dimensions and variables of the results.
RESERVED = {
  *("feature", "hidden", "input", "latent", "output", "finite"),
  *("loss", "loss_sum", "loss_mean", "feature_loss", "output_loss", *schema.given_dims()),
  *("certificate", "certificate_meaning", "optimum_bound", "optimum_tolerance"),
  *("step", "history_loss", *(f"history_{name}" for name in PARAM_DIMS)),
  *("feature_density", "feature_importance", "peak_learning_rate", *PARAM_DIMS),
}


def make_axes(values: Mapping[str, Any]) -> tuple[Axis, ...]:
  """Returns the axes that a config's fields describe.

  Raises:
    UserError: names the entry of config.axis, the value found and what is allowed.
  """
  axes = tuple(_axis(name, values) for name in values["axes"])
  set_by_axes = [field for axis in axes for field in axis.sets]
  for field in set_by_axes:
    if set_by_axes.count(field) > 1:
      raise not_allowed("axes", tuple(a.name for a in axes), f"one axis only that sets {field}")
  limits.check_axes(axes)
  return axes


def _axis(name: str, values: Mapping[str, Any]) -> Axis:
  """Returns the axis of that name."""
  entry = {
    key.removeprefix(f"axis.{name}."): value
    for key, value in values.items()
    if key.startswith(f"axis.{name}.")
  }
  if not entry:
    defined = {key.split(".")[1] for key in values if key.startswith("axis.")}
    if name not in defined:
      there = ", ".join(sorted(defined)) or "names of entries in config.axis"
      raise not_allowed("axes", name, there + nearest(name, defined))
    raise not_allowed(f"axis.{name}", {}, "an axis made by toy_superposition.config.base")
  Text("", "").check("axes", name)
  taken = RESERVED | MEASURES.keys()
  if name in taken:
    raise not_allowed("axes", name, f"any name but {', '.join(sorted(taken))}")
  where = f"axis.{name}"
  check_choice(f"{where}.scale", entry.get("scale"), SCALES)
  if entry["scale"] == "restarts":
    if entry.get("field", "") != "":
      raise not_allowed(f"{where}.field", entry["field"], "'', since restarts set no field")
    return Axis(name, "", tuple(range(_count(f"{where}.num", entry.get("num")))))
  if entry["scale"] == "source":  # made when a config is resolved that has a source
    if entry.get("field", "") != "":
      raise not_allowed(f"{where}.field", entry["field"], "'', since points only name the source's")
    return Axis(name, "", _points(where, entry))
  if entry["scale"] == "together":
    return Axis(name, "", _points(where, entry), _together(where, entry))
  check_choice(f"{where}.field", entry.get("field"), sweeps.axis_fields())
  field = entry["field"]
  declaration = fields.fields()[field].declaration
  points = _points(where, entry)
  if isinstance(declaration, Integer) and entry["scale"] != "points":
    points = tuple(round(point) for point in points)
  for point in points:
    _check_value(where, field, point)
  if len(set(points)) < len(points):
    twice = next(point for point, n in collections.Counter(points).items() if n > 1)
    raise not_allowed(where, twice, "each point once")
  return Axis(name, field, points)


def _together(where: str, entry: Mapping[str, Any]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
  """Returns the fields that an axis sets together, each with its value at every point."""
  names = entry.get("fields")
  if not isinstance(names, tuple) or not names:
    raise not_allowed(f"{where}.fields", names, "a tuple of fields")
  together = []
  for k, field in enumerate(names):
    check_choice(f"{where}.fields", field, sweeps.axis_fields())
    values: Any = entry.get(f"values_{k}")
    if not isinstance(values, tuple) or len(values) != len(entry["points"]):
      allowed = f"one value for each of the {len(entry['points'])} points, as a tuple"
      raise not_allowed(f"{where}.values_{k}", values, allowed)
    for value in values:
      _check_value(where, field, value)
    together.append((field, values))
  labels = entry["points"]
  if not all(isinstance(label, str) and label.isprintable() and label for label in labels):
    raise not_allowed(f"{where}.points", labels, "labels: texts that are not empty")
  if len(set(labels)) < len(labels):
    raise not_allowed(where, labels, "each label once")
  return tuple(together)


def _check_value(where: str, field: str, value: Any) -> None:
  try:
    fields.fields()[field].declaration.check(field, value)
  except UserError as error:
    raise UserError(f"config.{where} sets {str(error).removeprefix('config.')}") from None


def _points(where: str, entry: Mapping[str, Any]) -> tuple[Any, ...]:
  """Returns the points of an axis on its scale, still to be checked."""
  if entry["scale"] in ("points", "source", "together"):
    points: Any = entry.get("points")
    if not isinstance(points, tuple) or not 1 <= len(points) <= MAX_POINTS:
      allowed = f"at least one point, at most {MAX_POINTS}, as a tuple"
      raise not_allowed(f"{where}.points", points, allowed)
    return points
  num = _count(f"{where}.num", entry.get("num"))
  for end in ("start", "stop"):
    value: Any = entry.get(end)
    if not is_real(value) or not math.isfinite(value):
      raise not_allowed(f"{where}.{end}", value, "a finite number")
    if entry["scale"] == "log" and value <= 0:
      raise not_allowed(f"{where}.{end}", value, "a number > 0 on a logarithmic axis")
  spaced = np.geomspace if entry["scale"] == "log" else np.linspace
  return tuple(spaced(entry["start"], entry["stop"], num).tolist())


def _count(where: str, num: Any) -> int:
  if not is_integer(num) or not 1 <= num <= MAX_POINTS:
    raise not_allowed(where, num, f"an integer ≥ 1 (at least one point), at most {MAX_POINTS}")
  return num
