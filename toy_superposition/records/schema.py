"""What a results dataset consists of, and the check that a stored one does.

A dataset that passes can be computed with: its config has every field with a value of the right
kind, and the variables that this package knows have their dimensions and are numbers.
"""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from toy_superposition import fields, text
from toy_superposition.errors import UserError
from toy_superposition.inputs import INPUTS
from toy_superposition.measures import MEASURES
from toy_superposition.models import MODELS, PARAM_DIMS, param_names, params_class
from toy_superposition.records import files, upgrade

if TYPE_CHECKING:
  import xarray as xr

SEVERAL = " and "  # between the names of a dataset's models
SOURCE = "source_config"  # attribute with the config of the models that these were trained on
HISTORY = "history_"  # before the names of parameters and loss during training
MAX_CONFIG = 2**26  # characters of a stored config, whose axes may have many points
# Variable → its dimensions after the sweep's axes, and a description. For parameters and measures
# see `labels`.
VARIABLES: dict[str, tuple[tuple[str, ...], str]] = {
  "history_loss": (("step",), "loss during training, of the same kind as `loss`"),
  "feature_density": (("feature",), "probability that the feature is active, 1 − S"),
  "feature_importance": (("feature",), "weight I_i of the squared error"),
  "peak_learning_rate": ((), "learning rate at the schedule's peak, per step"),
  "feature_loss": (("feature",), "mean of I_i (x_i − x′_i)² over inputs"),
  "output_loss": (("output",), "mean loss of each output, where outputs are not features"),
  "loss": ((), "training objective on fresh inputs or in expectation"),
  "loss_sum": ((), "loss, summed over features"),
  "loss_mean": ((), "loss, averaged over features"),
  "step_seconds": ((), "wall time of a step of one instance, on all devices, in seconds"),
  "optimum_bound": (
    ("certificate",),
    "loss that is known without training, by a row of CERTIFICATES; nan where none is known",
  ),
  "optimum_tolerance": (
    ("certificate",),
    "relative excess of the loss over optimum_bound above which a model is under-trained",
  ),
  "finite": ((), "1 where loss and parameters are finite, else 0"),
}
# Variables of every model, beside its parameters, its measures and what the experiment adds.
NUMBERS = ("finite", "feature_density", "feature_importance", "peak_learning_rate")
REQUIRED = ("loss", *NUMBERS)  # by what is made of results
SCORES = ("loss_sum", "loss_mean", *NUMBERS)  # stored after training
# Kind of a field's default → kinds of its values.
KINDS: dict[type, tuple[type, ...]] = {
  bool: (bool,),
  int: (int,),
  float: (int, float),
  str: (str,),
  tuple: (list, tuple),
}


def labels(name: str, model: str) -> tuple[tuple[str, ...], str]:
  """Returns the dimensions of a variable, after the sweep's axes, and its description.

  Tables are looked up when this is called: a row may be added at any time.

  Args:
    name: of the variable.
    model: row of MODELS that the variable's instances have.

  Raises:
    KeyError: no model has such a variable.
  """
  if name in VARIABLES:
    return VARIABLES[name]
  if name in (given := given_dims()):
    return given[name], f"frozen array {name} that the models were trained on"
  parameter, dims = name.removeprefix(HISTORY), params_class(model).DIMS
  if name in dims:
    return dims[name], f"parameter {name}"
  if parameter in dims:
    return ("step", *dims[parameter]), f"parameter {parameter} during training"
  return MEASURES[name].dims, MEASURES[name].long_name


def given_dims() -> dict[str, tuple[str, ...]]:
  """Returns the trailing axes of the frozen arrays that any row of INPUTS gives to models."""
  return {name: dims for row in INPUTS.values() for name, dims in row.DIMS.items()}


def config(dataset: "xr.Dataset") -> dict[str, Any]:
  """Returns every field of the config that a dataset was made from, under today's names.

  Raises:
    UserError: there is none, or it is not one that this package stores.
  """
  return _stored_config(dataset, "config")


def source(dataset: "xr.Dataset") -> dict[str, Any] | None:
  """Returns every field of the config of the models on which a dataset's models were trained, None
  if these see features.

  Raises:
    UserError: it is not one that this package stores.
  """
  return _stored_config(dataset, SOURCE) if SOURCE in dataset.attrs else None


def _stored_config(dataset: "xr.Dataset", attribute: str) -> dict[str, Any]:
  stored = getattr(dataset, "attrs", {}).get(attribute)
  if not isinstance(stored, str):
    raise UserError(f"not a run's dataset: the attribute {attribute!r} is missing")
  try:
    if len(stored) > MAX_CONFIG:
      raise ValueError(f"longer than {MAX_CONFIG} characters")
    values = json.loads(stored)
  except (ValueError, RecursionError) as error:
    raise UserError(f"not a run's dataset: {attribute}: {files.one_line(error)}") from error
  return config_fields(values)


def config_fields(stored: Any) -> dict[str, Any]:
  """Returns the fields of a stored config under today's names, checked to be of the right kinds.

  What the values may be is not checked: tables may have had other rows when it was stored.

  Raises:
    UserError: it is not a config.
  """
  if not isinstance(stored, dict):
    raise UserError("not a run's config: no fields")
  for field, value in stored.items():
    if not _is_plain(field) or not (_is_plain(value) or isinstance(value, list)):
      raise UserError(f"not a run's config: {field!r} has a value of another kind")
    if isinstance(value, list) and not all(map(_is_plain, value)):
      raise UserError(f"not a run's config: {field!r} has a value of another kind")
  values = upgrade.upgraded(stored)
  for field, default in fields.defaults().items():
    if field in values and not _is_kind(values[field], KINDS[type(default)]):
      raise UserError(f"not a run's config: {field} is {values[field]!r}")
  return values


def check(dataset: "xr.Dataset", *, all_sizes: bool = False) -> None:
  """Checks that a stored dataset is one that this package computes with.

  Args:
    dataset: under today's names.
    all_sizes: whether it is of all model sizes of a sweep, and so without features.

  Raises:
    UserError: it is not.
  """
  values = config(dataset)
  for name, variable in dataset.variables.items():
    if not (_is_numbers(variable) or _is_texts(variable)):
      raise UserError(f"variable {name!r} has neither numbers nor texts")
  model = "" if all_sizes else _models(dataset)[0]
  required = ("loss", "finite") if all_sizes else REQUIRED + _params(model)
  if missing := [n for n in required if n not in dataset.data_vars or not dataset[n].size]:
    raise UserError(f"the variable {missing[0]!r} is missing")
  outer = set(dataset["loss"].dims)
  for name, array in dataset.data_vars.items():
    own = _known_dims(str(name), model)
    if own is not None and (set(array.dims) != outer | own or not _is_numbers(array)):
      raise UserError(f"variable {name!r} has other dimensions, or no numbers")
  fixed = {name for name, coordinate in dataset.coords.items() if not coordinate.ndim}
  if not outer <= set(values["axes"]) <= outer | fixed:
    raise UserError("the dimensions are not the axes of the config")


def require(dataset: "xr.Dataset", names: Iterable[str]) -> None:
  """Checks that a dataset in memory, perhaps a selection, has variables of models.

  Raises:
    UserError: it has no models, or names the variable that is missing or lacks axes of its own.
  """
  config(dataset)
  (model, *_) = model_names(dataset)
  for name in names:
    if name not in dataset.data_vars:
      raise UserError(f"not a run's dataset: the variable {name!r} is missing")
    own, dims = labels(name, model)[0], dataset[name].dims
    if lacking := [dim for dim in own if dim not in dims]:
      raise UserError(f"variable {name!r} has the axes {dims}; {lacking[0]!r} is missing")
    if not dataset[name].size:
      raise UserError(f"the dataset has no models: its axes are {dict(dataset[name].sizes)}")


def model_names(dataset: "xr.Dataset") -> list[str]:
  """Returns the models of a dataset, rows of MODELS.

  Raises:
    UserError: it is not of a run, or its models do not exist in this package.
  """
  names = _models(dataset)
  if unknown := [name for name in names if name not in MODELS]:
    raise UserError(f"not a run's dataset: there is no model {unknown[0]!r} in this package")
  return names


def parameter(dataset: "xr.Dataset", name: str, model: str) -> "jax.Array":
  """Returns a parameter of a dataset's models, with the sweep's axes before its own.

  Raises:
    UserError: it is missing, or not an array with the parameter's axes.
  """
  if name not in dataset:
    raise UserError(f"not a run's dataset: the variable {name!r} is missing")
  array, own = dataset[name], labels(name, model)[0]
  if not _is_numbers(array) or array.dims[array.ndim - len(own) :] != own:
    raise UserError(f"not a run's dataset: {name!r} has other dimensions, or no numbers")
  return jnp.asarray(array.values)


def _models(dataset: "xr.Dataset") -> list[str]:
  names = dataset.attrs.get("model")
  if not isinstance(names, str):
    raise UserError("not a run's dataset: the attribute 'model' is missing")
  return names.split(SEVERAL)


def _params(model: str) -> tuple[str, ...]:
  """Returns the parameters of a model; none of one that somebody added and that is not here now."""
  return tuple(param_names(model)) if model in MODELS else ()


def _known_dims(name: str, model: str) -> set[str] | None:
  """Returns the dimensions of a variable after the sweep's axes, None if the name is unknown."""
  if name in VARIABLES:
    return set(VARIABLES[name][0])
  if name.removeprefix(HISTORY) not in PARAM_DIMS and name not in MEASURES:
    return None
  try:
    return set(labels(name, model)[0]) if model in MODELS or name in MEASURES else None
  except KeyError:  # a parameter of another model
    return None


def _is_plain(value: Any) -> bool:
  """Returns whether a value is a number, a truth value, or a text without control characters."""
  if isinstance(value, str):
    return text.visible(value) == value
  return isinstance(value, bool | int | float)


def _is_kind(value: Any, kinds: tuple[type, ...]) -> bool:
  """Returns whether a value is of one of these kinds; a truth value is no number."""
  return isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds)


def _is_numbers(variable: "xr.Variable | xr.DataArray") -> bool:
  return variable.dtype.kind in "biuf"


def _is_texts(variable: "xr.Variable | xr.DataArray") -> bool:
  return variable.dtype.kind in "OUT" and all(isinstance(v, str) for v in variable.values.flat)
