"""Whether a config is one that an experiment's claims are about.

Every field that has an effect must hold the paper's value, unless the experiment requires another
or lists the field in `may_vary`. So a new field is refused by every experiment until somebody
decides.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition import experiments, fields, sweeps
from toy_superposition.errors import UserError, not_allowed
from toy_superposition.experiments.experiment import Experiment
from toy_superposition.repetitions import RESTART
from toy_superposition.sweeps import Axis
from toy_superposition.types import Group

# They decide how well the optimum is found and how precisely it is measured, not what it is.
TRAINING = frozenset(
  {
    *("seed", "init.scheme", "init.n_instances", "init.scale", "data.generator"),
    *("train.steps", "train.batch_size", "train.estimator", "train.precision", "train.optimizer"),
    *("train.learning_rate", "train.schedule", "train.warmup_steps", "train.momentum"),
    *("train.b1", "train.b2", "train.epsilon"),
    *("evaluation.method", "evaluation.n_samples", "history.num", "history.scale"),
  }
)
# They choose and name an experiment, or say how it is executed.
NAMING = ("name", "experiment", "axes", "measures", "run.")


def paper() -> dict[str, Any]:
  """Returns the value that the paper's statements assume, by field: the defaults, no decay."""
  return fields.defaults() | {"train.weight_decay": 0.0}


def check(
  name: str, values: Mapping[str, Any], axes: Sequence[Axis], groups: Sequence[Group]
) -> None:
  """Checks that the claims of an experiment are about the models of a config.

  Args:
    name: of the experiment.
    values: every field of the config.
    axes: of its sweep.
    groups: of its sweep.

  Raises:
    UserError: there is no such experiment; or names the first field that is not allowed, its
      value, the experiment, and how to run without claims.
  """
  row = experiments.get(name)
  _check_axes(name, row, axes)
  missing = [measure for measure in row.measures if measure not in values["measures"]]
  if missing:
    needed = f"{', '.join(missing)} too, for experiment {name!r}"
    raise not_allowed("measures", tuple(values["measures"]), needed)
  if row.trained and not values["train.steps"]:
    raise not_allowed("train.steps", 0, f"≥ 1 for experiment {name!r}")
  fixed = sweeps.fields_in_use(values, axes) - {field for axis in axes for field in axis.sets}
  for field in fields.fields():
    if field in fixed:
      _check_field(name, row, field, values[field])
  row.refuses(values, groups)


def allowed_values(row: Experiment, field: str) -> frozenset[Any] | None:
  """Returns the values that an experiment allows in a field; None if it may vary."""
  if field in row.requires:
    value = row.requires[field]
    return value if isinstance(value, frozenset) else frozenset({value})
  if field in row.may_vary or field in TRAINING or field.startswith(NAMING):
    return None
  return frozenset({paper()[field]})


def refusal(name: str, field: str, value: Any, allowed: str) -> UserError:
  """Returns the error for a field whose value the claims of an experiment are not about."""
  return UserError(
    f"config.{field}: {value!r} is not allowed with experiment {name!r}, whose claims are about "
    f"{allowed}; config.experiment=none runs it without claims"
  )


def _check_field(name: str, row: Experiment, field: str, value: Any) -> None:
  allowed = allowed_values(row, field)
  if allowed is not None and value not in allowed:
    raise refusal(name, field, value, " or ".join(map(repr, sorted(allowed, key=str))))


def _check_axes(name: str, row: Experiment, axes: Sequence[Axis]) -> None:
  """Checks that all axes are there that an experiment needs, and no unknown ones."""
  known = {**row.axes, **row.optional_axes}
  axes = _with_restarts(axes, known)
  there = tuple(axis.name for axis in axes)
  if not set(row.axes) <= set(there) <= set(known):
    optional = ", ".join(row.optional_axes) or "others"
    needed = f"{tuple(known)}, in any order, with or without {optional}"
    raise refusal(name, "axes", there, needed)
  for axis in axes:
    if axis.field != known[axis.name]:
      raise refusal(name, f"axis.{axis.name}.field", axis.field, repr(known[axis.name]))


def _with_restarts(axes: Sequence[Axis], known: Mapping[str, str]) -> list[Axis]:
  """Returns the axes with one of restarts under the experiment's name for it, `restart`."""
  free = [axis for axis in axes if axis.name not in known and not axis.sets]
  if len(free) != 1 or known.get(RESTART) != "" or RESTART in {axis.name for axis in axes}:
    return list(axes)
  return [axis._replace(name=RESTART) if axis is free[0] else axis for axis in axes]
