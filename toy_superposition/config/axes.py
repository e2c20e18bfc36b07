"""Axes of a config: their points, computed and checked one by one."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from toy_superposition import fields, sweep
from toy_superposition.declare import MAX_INTEGER, Integer, Text, check_choice
from toy_superposition.errors import UserError, nearest, not_allowed
from toy_superposition.measures import MEASURES
from toy_superposition.models import PARAM_DIMS
from toy_superposition.sweep import Axis

SCALES = ("linear", "log", "points", "restarts")
MAX_POINTS = 10_000_000  # of one axis
# Names that neither an axis nor a measure may take: other dimensions and variables of the results.
RESERVED = {
  *("feature", "hidden", "finite", "loss", "loss_sum", "loss_mean", "feature_loss"),
  *("step", "history_loss", *(f"history_{name}" for name in PARAM_DIMS)),
  *("feature_density", "feature_importance", "peak_learning_rate", *PARAM_DIMS),
}


def make_axes(values: Mapping[str, Any]) -> tuple[Axis, ...]:
  """Returns the axes that a config's fields describe.

  Raises:
    UserError: names the entry of config.axis, the value found and what is allowed.
  """
  axes = tuple(_axis(name, values) for name in values["axes"])
  set_by_axes = [axis.field for axis in axes if axis.field]
  for field in set_by_axes:
    if set_by_axes.count(field) > 1:
      raise not_allowed("axes", [a.name for a in axes], f"one axis only that sets {field}")
  if math.prod(len(axis.points) for axis in axes) > MAX_INTEGER:
    raise not_allowed("axes", [a.name for a in axes], "fewer than 2³¹ instances in all")
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
    raise not_allowed(f"axis.{name}", {}, "an axis made by configs/base.py")
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
  check_choice(f"{where}.field", entry.get("field"), sweep.axis_fields())
  field = entry["field"]
  declaration = fields.fields()[field].declaration
  points = _points(where, entry)
  if isinstance(declaration, Integer) and entry["scale"] != "points":
    points = [round(float(point)) for point in points]
  for point in points:
    try:
      declaration.check(field, point)
    except UserError as error:
      raise UserError(f"config.{where} sets {str(error).removeprefix('config.')}") from None
  if len(set(points)) < len(points):
    raise not_allowed(where, points, "each point once")
  return Axis(name, field, tuple(points))


def _points(where: str, entry: Mapping[str, Any]) -> list[Any]:
  """Returns the points of an axis on its scale, still to be checked."""
  if entry["scale"] == "points":
    points = entry.get("points")
    if not isinstance(points, tuple | list) or not points:
      raise not_allowed(f"{where}.points", points, "at least one point, as a tuple")
    return list(points)
  num = _count(f"{where}.num", entry.get("num"))
  for end in ("start", "stop"):
    value = entry.get(end)
    if not isinstance(value, int | float) or not math.isfinite(value):
      raise not_allowed(f"{where}.{end}", value, "a finite number")
    if entry["scale"] == "log" and value <= 0:
      raise not_allowed(f"{where}.{end}", value, "a number > 0 on a logarithmic axis")
  spaced = np.geomspace if entry["scale"] == "log" else np.linspace
  return spaced(entry["start"], entry["stop"], num).tolist()


def _count(where: str, num: Any) -> int:
  if not isinstance(num, int) or isinstance(num, bool) or not 1 <= num <= MAX_POINTS:
    raise not_allowed(where, num, f"an integer ≥ 1 (at least one point), at most {MAX_POINTS}")
  return num
