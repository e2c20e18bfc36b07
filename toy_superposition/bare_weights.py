"""Weights that come without a config: their sizes, layout, axes, densities and importances."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from toy_superposition import models
from toy_superposition.config import base
from toy_superposition.declare import check_choice
from toy_superposition.errors import UserError, shown
from toy_superposition.weight_layouts import LAYOUTS, real_numbers

OURS, THEIRS = LAYOUTS[0]  # of autoencoders of features
INNER = ("hidden", "feature")
FIELDS = ("density", "importance")  # sections of the config, and arguments
TOLERANCE = 1e-6  # relative, of float32, up to which two densities or importances are the same


class Bare(NamedTuple):
  """Weights with the config that describes them."""

  config: ConfigDict
  arrays: dict[str, np.ndarray]
  layout: str  # of the encoder


class Axes(NamedTuple):
  """The axes of the models before the weights' own."""

  names: tuple[str, ...]  # () where nothing names them
  sizes: tuple[int, ...]
  points: Mapping[str, list[Any]]  # labels, of axes that have any


def described(
  arrays: Mapping[str, Any],
  *,
  model: str,
  layout: str,
  axes: Sequence[str],
  density: Any,
  importance: Any,
) -> Bare:
  """Returns weights with a config of the same sizes, axes, densities and importances.

  The arguments are those of `exchange.weights`, whose docstring is the reference.

  Raises:
    UserError: what is missing, of another shape, or could be read in two ways, by name.
  """
  check_choice("model.name", model, models.MODELS)
  encoder = _encoder(model)
  if encoder not in arrays:
    raise UserError(
      f"array {encoder!r} is missing, the encoder of {model}; there are: {_listed(arrays)}"
    )
  if density is None:
    raise UserError(
      "density is missing, the probability that a feature is active, 1 − S: "
      "ts.weights(W, density=0.1); a number, one per feature, or one per model"
    )
  named = arrays[encoder]
  plain = {name: _plain(name, array, named) for name, array in arrays.items()}
  W = plain[encoder]
  if W.ndim < 2 or not W.size:
    raise UserError(
      f"array {encoder!r} has the shape {W.shape}; expected: [hidden, feature] or [feature, "
      "hidden], with the models' axes before them"
    )
  leading = _leading(named, W.shape[:-2], axes)
  given = {"density": density, "importance": 1.0 if importance is None else importance}
  given = {field: _numbers(field, numbers, named) for field, numbers in given.items()}
  layout = layout or _layout(W.shape, plain, given)
  if layout not in LAYOUTS[0]:
    raise UserError(f"layout: {shown(layout)} is not allowed; allowed: {OURS!r} or {THEIRS!r}")
  n_hidden, n_features = W.shape[-2:] if layout == OURS else W.shape[:-3:-1]
  config = base.get_config()
  config.model.name, config.model.n_features, config.model.n_hidden = model, n_features, n_hidden
  _set_axes(config, leading, {f: _bases(config, f, given[f], leading) for f in FIELDS})
  return Bare(config, plain, layout)


def _encoder(model: str) -> str:
  """Returns the name of a model's encoder.

  Raises:
    UserError: the model has none that is a matrix of hidden dimensions and features.
  """
  names = [name for name, dims in models.params_class(model).DIMS.items() if dims == INNER]
  if not names:
    raise UserError(
      f"model: {model!r} needs the config of its models: ts.weights(config, arrays), with config = "
      "ts.get_config() or base.after(…)"
    )
  return names[0]


def _listed(arrays: Mapping[str, Any]) -> str:
  return ", ".join(map(repr, arrays)) or "none"


def _plain(name: str, array: Any, encoder: Any) -> np.ndarray:
  """Returns an array of NumPy. An xarray.DataArray beside one that is the encoder has its axes
  first, then its own, hidden before feature."""
  dims = getattr(array, "dims", None)
  if not isinstance(dims, tuple):
    return real_numbers(name, array)
  own = [dim for dim in INNER if dim in dims]
  if array is encoder and len(own) < len(INNER):
    raise UserError(f"array {name!r} has the axes {dims}; allowed: hidden and feature among them")
  outer = [dim for dim in getattr(encoder, "dims", dims) if dim not in INNER]
  if unknown := set(dims) - {*own, *outer}:
    raise UserError(f"array {name!r} has the axis {min(map(str, unknown))!r}, which W has not")
  repeated = {dim: encoder.sizes[dim] for dim in outer if dim not in dims}
  return real_numbers(name, array.expand_dims(repeated).transpose(*outer, *own).values)


def _leading(encoder: Any, sizes: tuple[int, ...], names: Sequence[str]) -> Axes:
  """Returns the axes of the models: those of an xarray.DataArray, or as `names` calls them."""
  if isinstance(getattr(encoder, "dims", None), tuple):
    names = names or [str(dim) for dim in encoder.dims if dim not in INNER]
  if isinstance(names, str) or (names and len(names) != len(sizes)):
    raise UserError(
      f"axes: {shown(names)} is not allowed; allowed: a name for each of the {len(sizes)} axes "
      f"before the weights' own, whose lengths are {sizes}"
    )
  coordinates = getattr(encoder, "coords", {})
  points = {name: coordinates[name].values.tolist() for name in names if name in coordinates}
  return Axes(tuple(names), sizes, points)


def _layout(
  shape: tuple[int, ...], arrays: Mapping[str, np.ndarray], given: Mapping[str, np.ndarray]
) -> str:
  """Returns the encoder's layout: its biases show it, or else features outnumber hidden dimensions.

  Raises:
    UserError: both axes have one length, or densities or importances belong to the shorter one.
  """
  ours, theirs = shape[-1], shape[-2]  # the features in either layout
  lengths = {arrays[name].shape[-1] for name in ("b", "b_final") if name in arrays}
  if ours != theirs and lengths & {ours, theirs}:
    return OURS if ours in lengths else THEIRS
  per_model = {(), shape[:-2]}
  lengths = {x.shape[-1] for x in given.values() if x.shape not in per_model and x.size}
  if ours == theirs or min(ours, theirs) in lengths - {1}:
    raise UserError(
      f"array 'W': its last axes have the lengths {shape[-2:]}, and it could have either layout; "
      f"say which: layout={OURS!r} or {THEIRS!r}, the notebook's"
    )
  return OURS if ours > theirs else THEIRS


def _numbers(field: str, numbers: Any, encoder: Any) -> np.ndarray:
  """Returns densities or importances; those of an xarray.DataArray as (model axes …, feature)."""
  dims = getattr(numbers, "dims", None)
  if not isinstance(dims, tuple):
    return _decimal(real_numbers(field, numbers))
  outer = [dim for dim in getattr(encoder, "dims", ()) if dim not in INNER]
  if unknown := set(dims) - {*outer, "feature"}:
    raise UserError(f"{field} has the axis {min(map(str, unknown))!r}, which W has not")
  missing = [dim for dim in (*outer, "feature") if dim not in dims]
  return _decimal(real_numbers(field, numbers.expand_dims(missing).transpose(*outer, "feature")))


def _decimal(array: np.ndarray) -> np.ndarray:
  """Returns numbers as doubles: those of float32 as they are written, 0.1 for 0.10000000149."""
  return array.astype(str).astype(float) if array.dtype == np.float32 else array.astype(float)


def _bases(config: ConfigDict, field: str, values: np.ndarray, leading: Axes) -> np.ndarray:
  """Sets the factors of features in the config; returns the base of every model, (axes …).

  Raises:
    UserError: the numbers are of another shape, or not a base of each model times a factor of each
      feature, which is what a config holds.
  """
  n = config.model.n_features
  expected = f"a number, one for each of {n} features"
  if leading.sizes:
    expected += f", one for each model: {leading.sizes}, or both: {(*leading.sizes, n)}"
  given = values.shape
  if values.ndim == 1 and leading.sizes == values.shape == (n,):
    raise UserError(
      f"{field}: {n} numbers could be those of the features or those of the models; give the shape "
      f"(1, {n}) or ({n}, 1)"
    )
  if values.ndim and values.shape[-1] not in (1, n):
    values = values[..., None]
  try:
    values = np.broadcast_to(values, (*leading.sizes, n))
  except ValueError:
    raise UserError(f"{field} has the shape {given}; expected: {expected}") from None
  wrong = values[~(np.isfinite(values) & (values >= 0))]
  if wrong.size:
    raise UserError(f"{field}: {wrong[0]:g} is not allowed; allowed: finite numbers ≥ 0")
  bases = values.max(axis=-1)
  factors = (values / np.where(bases > 0, bases, 1)[..., None]).reshape(-1, n)
  factors = factors[int(np.argmax(bases))]
  if not np.allclose(bases[..., None] * factors, values, rtol=TOLERANCE, atol=0):
    raise UserError(
      f"{field}: the proportions of the features differ between models; allowed: a number of each "
      "model times a factor of each feature"
    )
  if (factors != 1).any():
    config[field]["values"] = tuple(factors.tolist())
  return np.asarray(bases)


def _set_axes(config: ConfigDict, leading: Axes, bases: Mapping[str, np.ndarray]) -> None:
  """Sets the sweep's axes, and the bases where they are the same for all models."""
  changing: dict[int, list[str]] = {}  # axis → the fields that differ along it
  for field, values in bases.items():
    axes = [k for k in range(values.ndim) if (values != values.take([0], axis=k)).any()]
    if axes[1:]:
      raise UserError(
        f"{field} differs along {len(axes)} of W's axes; allowed: along one. "
        "W.reshape(-1, *W.shape[-2:]) makes them one"
      )
    if axes:
      changing.setdefault(axes[0], []).append(field)
    else:
      config[field].base = float(values.flat[0])
  names = leading.names or _default_names(leading.sizes, changing, bases)
  made = {}
  for k, (name, size) in enumerate(zip(names, leading.sizes, strict=True)):
    along = {
      f"{field}.base": np.moveaxis(bases[field], k, 0).reshape(size, -1)[:, 0].tolist()
      for field in changing.get(k, ())
    }
    made[name] = _axis(along, leading.points.get(name), size)
  base.set_axes(config, **made)


def _default_names(
  sizes: tuple[int, ...], changing: Mapping[int, list[str]], bases: Mapping[str, np.ndarray]
) -> list[str]:
  """Returns names of the models' axes: density, importance, model for one along which both differ
  or numbers come again, and restart."""
  names = []
  for k in range(len(sizes)):
    fields = changing.get(k, [])
    distinct = len(fields) == 1 and len(np.unique(bases[fields[0]])) == sizes[k]
    names.append(fields[0] if distinct else "model" if fields else "restart")
  if twice := {name for name in names if names.count(name) > 1}:
    raise UserError(
      f"axes: {len(sizes)} axes of lengths {sizes} stand before W's own, and more than one could "
      f"be {min(twice)!r}; name them: axes=('restart', …)"
    )
  return names


def _axis(fields: Mapping[str, list[float]], points: list[Any] | None, size: int) -> ConfigDict:
  """Returns an axis that sets these fields, or none: repetitions, or models with labels."""
  if len(fields) == 1:
    ((field, values),) = fields.items()
    if len(set(values)) == len(values):
      return base.points(field, values)
  if fields:
    return base.together(fields, [str(k) for k in range(size)])
  if points and points != [*range(size)] and all(isinstance(p, int | float | str) for p in points):
    # Points that name models and set nothing, as those of a source do.
    return ConfigDict({"field": "", "scale": "source", "points": tuple(points)})
  return base.restarts(size)
