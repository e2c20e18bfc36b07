"""ConfigDict → Experiment: everything is checked here, before any device is touched."""

import dataclasses
import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from toy_superposition import experiments, sweep
from toy_superposition.config import cross_checks
from toy_superposition.distributions import DISTRIBUTIONS
from toy_superposition.draws import GENERATORS
from toy_superposition.errors import UserError, nearest, not_allowed
from toy_superposition.estimators import ESTIMATORS
from toy_superposition.estimators.blocked import PRECISIONS
from toy_superposition.evaluation import EVALUATIONS
from toy_superposition.measures import MEASURES
from toy_superposition.models import INITIALIZERS, MODELS, PARAM_DIMS
from toy_superposition.objective import REDUCTIONS, TARGETS
from toy_superposition.optimizers import OPTIMIZERS, SCHEDULES
from toy_superposition.profiles import PROFILES
from toy_superposition.sweep import Axis
from toy_superposition.types import Group

SCALES = ("linear", "log", "points", "restarts")
# Field → the names that it may hold.
NAMES: dict[str, Collection[str]] = {
  "model.name": MODELS,
  "init.scheme": INITIALIZERS,
  "data.distribution": DISTRIBUTIONS,
  "data.generator": GENERATORS,
  "data.target": TARGETS,
  "density.profile": PROFILES,
  "importance.profile": PROFILES,
  "loss.reduction": REDUCTIONS,
  "train.estimator": ("auto", *ESTIMATORS),
  "train.precision": PRECISIONS,
  "train.optimizer": OPTIMIZERS,
  "train.schedule": SCHEDULES,
  "history.scale": ("log", "linear"),
  "evaluation.method": EVALUATIONS,
  "analysis": ("none", *experiments.ANALYSES),
}
# Integer field → least value.
INTEGERS = {
  "seed": 0,
  "model.n_features": 1,
  "model.n_hidden": 1,
  "init.n_instances": 1,
  "data.set_size": 1,
  "train.steps": 0,
  "train.batch_size": 1,
  "train.warmup_steps": 0,
  "history.num": 0,
  "evaluation.n_samples": 1,
  "run.log_every": 0,
  "run.peer_timeout": 1,
  "run.feature_devices": 0,
}
MAX_INTEGER = 2**31 - 1  # steps and indices are int32 on the device
MAX_POINTS = 10_000_000  # of one axis
# Number field → (low, high, whether low and high are allowed themselves).
NUMBERS = {
  "init.scale": (0, math.inf, False, False),
  "density.base": (0, 1, True, True),
  "density.ratio": (0, math.inf, True, False),
  "importance.base": (0, math.inf, True, False),
  "importance.ratio": (0, math.inf, True, False),
  "loss.hidden_l1": (0, math.inf, True, False),
  "loss.attack": (0, math.inf, True, False),
  "train.learning_rate": (0, math.inf, False, False),
  "train.b1": (0, 1, True, False),
  "train.b2": (0, 1, True, False),
  "train.epsilon": (0, math.inf, True, False),
  "train.weight_decay": (0, math.inf, True, False),
  "train.momentum": (0, 1, True, False),
  "run.checkpoint_seconds": (0, math.inf, True, False),
  "run.memory_gib": (0, math.inf, True, False),
}
FIELDS = {
  *("name", "axes", "measures", "figures", "run.tensorboard"),
  *(*NAMES, *INTEGERS, *NUMBERS),
}
# Names that neither an axis nor a measure may take: other dimensions and variables of the results.
RESERVED = {
  *("feature", "hidden", "finite", "loss", "loss_sum", "loss_mean", "feature_loss"),
  *("step", "history_loss", *(f"history_{name}" for name in PARAM_DIMS)),
  *("feature_density", "feature_importance", "peak_learning_rate", *PARAM_DIMS),
}
# Fields that say how a run is done or drawn, not what is computed.
PRESENTATION = ("run.", "figures")


@dataclasses.dataclass(frozen=True)
class Experiment:
  """A checked config, ready to run."""

  name: str
  values: Mapping[str, Any]  # every field by its dotted name, JSON-able
  axes: tuple[Axis, ...]
  groups: tuple[Group, ...]
  measures: tuple[str, ...]
  figures: tuple[str, ...]

  @property
  def identity(self) -> dict[str, Any]:
    """The fields that decide the results: two runs with equal identities agree."""
    return {k: v for k, v in self.values.items() if not k.startswith(PRESENTATION)}


def resolve(config: ConfigDict) -> Experiment:
  """Returns the experiment that a config describes.

  Raises:
    UserError: names the field, the value found, what is allowed, and the nearest valid name.
  """
  return resolve_values(dict(_flatten(config.to_dict())))


def resolve_values(values: Mapping[str, Any]) -> Experiment:
  """Returns the experiment of a config's fields by dotted name, such as a manifest keeps.

  Raises:
    UserError: as `resolve` does.
  """
  _check_fields(values)
  _check_name("name", values["name"])
  for field, value in values.items():
    if not field.startswith("axis."):
      _check_value(field, value)
  axes = tuple(_axis(name, values) for name in values["axes"])
  _check_axes(axes)
  for field, table in (("measures", MEASURES), ("figures", experiments.FIGURES)):
    for name in values[field]:
      _check_choice(field, name, table)
  for name in values["measures"]:  # the table may have rows that a user added
    if name in RESERVED:
      raise not_allowed("measures", name, "a name that no other variable of the results has")
  for name in values["figures"]:
    wanted = experiments.FIGURES[name].analysis
    if wanted and wanted != values["analysis"]:
      raise not_allowed("figures", name, f"with config.analysis={wanted!r} only")
  groups = tuple(sweep.make_groups(values, axes))
  cross_checks.check(values, groups)
  measures, drawn = tuple(values["measures"]), tuple(values["figures"])
  if values["analysis"] != "none":
    analysis = experiments.ANALYSES[values["analysis"]]
    missing = [name for name in analysis.measures if name not in measures]
    if missing:
      raise not_allowed("measures", measures, f"{', '.join(missing)} too, for the analysis")
    if analysis.of_trained and not values["train.steps"]:
      raise not_allowed("train.steps", 0, f"≥ 1 for analysis {values['analysis']!r}")
    analysis.check(values, [axis.name for axis in axes], groups)
  return Experiment(values["name"], values, axes, groups, measures, drawn)


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
  for key, value in tree.items():
    if isinstance(value, Mapping):
      yield from _flatten(value, f"{prefix}{key}.")
    else:
      yield prefix + key, value


def _check_fields(values: Mapping[str, Any]) -> None:
  """Checks that the fields are those of configs/base.py, and entries of axes beside them."""
  for field in values:
    if field not in FIELDS and not field.startswith("axis."):
      raise UserError(f"config.{field}: there is no such field{nearest(field, FIELDS)}")
  missing = sorted(FIELDS - values.keys())
  if missing:
    raise UserError(f"config.{missing[0]}: missing; a config starts from configs/base.py")


def _check_name(field: str, name: object) -> None:
  text = name if isinstance(name, str) else ""
  if not text or not all(c.isalnum() or c in "-_." for c in text) or text.startswith("."):
    raise not_allowed(field, name, "letters, digits, '-', '_' and '.', not empty")


def _check_choice(field: str, name: object, allowed: Collection[str]) -> None:
  if not isinstance(name, str) or name not in allowed:
    raise not_allowed(field, name, ", ".join(allowed) + nearest(name, allowed))


def _check_value(field: str, value: Any) -> None:
  """Checks one field by itself; fields without a rule are checked elsewhere."""
  if field in NAMES:
    _check_choice(field, value, NAMES[field])
  elif field in INTEGERS:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not INTEGERS[field] <= value <= MAX_INTEGER:
      raise not_allowed(field, value, f"an integer ≥ {INTEGERS[field]}, below 2³¹")
  elif field in NUMBERS:
    low, high, closed_low, closed_high = NUMBERS[field]
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    inside = number and (low <= value if closed_low else low < value)
    if not inside or not (value <= high if closed_high else value < high):
      interval = f"{'[' if closed_low else '('}{low}, {high}{']' if closed_high else ')'}"
      raise not_allowed(field, value, f"a number in {interval}")
  elif field == "run.tensorboard" and not isinstance(value, bool):
    raise not_allowed(field, value, "True or False")
  elif field in ("axes", "measures", "figures"):
    if not isinstance(value, tuple | list) or not all(isinstance(name, str) for name in value):
      raise not_allowed(field, value, "a tuple of names")
    if len(set(value)) < len(value):
      raise not_allowed(field, value, "each name once")


def _axis(name: str, values: Mapping[str, Any]) -> Axis:
  """Returns the axis of that name, its points computed and checked one by one."""
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
  _check_name("axes", name)
  taken = RESERVED | MEASURES.keys()
  if name in taken:
    raise not_allowed("axes", name, f"any name but {', '.join(sorted(taken))}")
  where = f"axis.{name}"
  _check_choice(f"{where}.scale", entry.get("scale"), SCALES)
  if entry["scale"] == "restarts":
    if entry.get("field", "") != "":
      raise not_allowed(f"{where}.field", entry["field"], "'', since restarts set no field")
    return Axis(name, "", tuple(range(_count(f"{where}.num", entry.get("num")))))
  fields = (*sweep.INSTANCE_FIELDS, *sweep.SPEC_FIELDS.values())
  _check_choice(f"{where}.field", entry.get("field"), fields)
  field = entry["field"]
  points = _points(where, entry)
  if field in INTEGERS and entry["scale"] != "points":
    points = [round(float(point)) for point in points]
  for point in points:
    try:
      _check_value(field, point)
    except UserError as error:
      raise UserError(f"config.{where} sets {str(error).removeprefix('config.')}") from None
  if len(set(points)) < len(points):
    raise not_allowed(where, points, "each point once")
  return Axis(name, field, tuple(points))


def _points(where: str, entry: Mapping[str, Any]) -> list[Any]:
  """Returns the points of an axis as its scale says; each is yet to be checked."""
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


def _check_axes(axes: tuple[Axis, ...]) -> None:
  fields = [axis.field for axis in axes if axis.field]
  for field in fields:
    if fields.count(field) > 1:
      raise not_allowed("axes", [a.name for a in axes], f"one axis only that sets {field}")
  if math.prod(len(axis.points) for axis in axes) > MAX_INTEGER:
    raise not_allowed("axes", [a.name for a in axes], "fewer than 2³¹ instances in all")
