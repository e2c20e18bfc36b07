"""Two stages: models that are trained on what other trained models do (`config.source`).

The source is a finished run. Its axes become the first axes of the second stage, unless that names
them itself, and every model of the second stage has the source's model at the same points. Source
and second stage have the same features: what the source was trained on is what it is used for.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toy_superposition import declare, fields, models
from toy_superposition.config import execute
from toy_superposition.errors import UserError, not_allowed
from toy_superposition.records import remote, results, schema
from toy_superposition.records.workdir import Workdir, read_values
from toy_superposition.sweeps import Axis, Source

if TYPE_CHECKING:
  import xarray as xr

  from toy_superposition.config.resolve import ResolvedConfig

FIELD = "source"
CONTENT = "source: content"  # in the identity of a second stage
# Fields that say which features there are; a second stage has those of its source.
SHARED = ("density.", "data.distribution", "model.n_features")
UNTRAINED = "not yet trained"


def is_folder(text: str) -> bool:
  """Returns whether config.source names the folder of a run, rather than a config."""
  return remote.is_remote(text) or Workdir(Path(text).expanduser()).manifest.exists()


def is_config(text: str) -> bool:
  """Returns whether config.source names a config, whose models have to be trained first."""
  return bool(text) and not is_folder(text)


def from_folder(text: str) -> Source:
  """Returns the models of a finished run.

  Raises:
    UserError: there is no such run, it is not finished or damaged, or has several model shapes.
  """
  try:
    with remote.reading(text) as folder:
      datasets = results.read(Workdir(folder))
  except UserError as error:
    raise UserError(f"config.source: {error}") from error
  datasets.pop(results.SWEEP, None)
  if len(datasets) > 1:
    raise UserError(
      f"config.source: {text} has models of several shapes ({', '.join(sorted(datasets))}); "
      "allowed: a run whose models have one shape"
    )
  return from_dataset(next(iter(datasets.values())))


def from_dataset(dataset: "xr.Dataset") -> Source:
  """Returns the models of a run's dataset.

  Raises:
    UserError: it is not a dataset of a run, has several models, or is a second stage itself.
  """
  try:
    values = schema.config(dataset)
    names = schema.model_names(dataset)
  except UserError as error:
    raise UserError(f"config.source: {error}") from error
  if len(names) > 1 or values.get(FIELD):
    raise UserError(
      f"config.source: {values['name']} has {'several models' if names[1:] else 'a source itself'};"
      " allowed: a run of one model on features"
    )
  dims = tuple(str(dim) for dim in dataset["loss"].dims)
  axes = tuple(
    Axis(dim, str(dataset[dim].attrs.get("config_field", "")), tuple(dataset[dim].values.tolist()))
    for dim in dims
  )

  def rows(name: str, *trailing: str) -> np.ndarray:
    array = dataset[name].transpose(*dims, *trailing).values
    return np.ascontiguousarray(array.reshape(-1, *array.shape[len(dims) :]))

  (model,) = names
  params = {name: rows(name, *models.PARAM_DIMS[name]) for name in models.param_names(model)}
  if not all(np.isfinite(leaf).all() for leaf in params.values()):
    raise UserError(
      f"config.source: {values['name']} has models that are not finite; leave them out with "
      ".sel(…) and give the dataset to ts.run(config, source=dataset)"
    )
  density = rows("feature_density", "feature")
  return Source(values, axes, fields.make_spec(values), params, density, content(params, density))


def untrained(resolved: "ResolvedConfig") -> Source:
  """Returns the models that a config will train, with zeros in the place of their parameters.

  Raises:
    UserError: its sweep has several model shapes, or it is a second stage itself.
  """
  if any(axis.reshapes and axis.points[1:] for axis in resolved.axes) or resolved.source:
    raise UserError(
      f"config.source: {resolved.name} has models of several shapes or a source itself; allowed: a "
      "config whose models have one shape and see features"
    )
  group = resolved.groups[0]
  abstract = models.abstract_params(
    models.of(group.spec),
    n_inputs=group.spec.n_features,
    n_hidden=group.spec.n_hidden,
    n_outputs=group.spec.n_features,
  )
  n_models = sum(len(group.cells) for group in resolved.groups)
  # Of strides 0: without memory.
  params = {
    name: np.broadcast_to(np.float32(0), (n_models, *leaf.shape))
    for name, leaf in vars(abstract).items()
  }
  density = np.empty((n_models, group.spec.n_features), np.float32)
  for group in resolved.groups:
    density[group.instances.index] = group.instances.density
  return Source(resolved.values, resolved.axes, group.spec, params, density, UNTRAINED)


def with_axes(values: Mapping[str, Any], source: Source) -> dict[str, Any]:
  """Returns a second stage's fields with the axes of its source first, where it does not name them.

  An axis of the source that sets a density sets it here too. Another one, such as over the source's
  learning rate, sets nothing here: its points only name the source's models.
  """
  own = tuple(values["axes"])
  added: dict[str, Any] = {}
  names = []
  for axis in source.axes:
    if axis.name in own:
      continue
    names.append(axis.name)
    if _sets_features(axis.field):
      entry = {"field": axis.field, "scale": "points", "points": axis.points}
    else:
      entry = {"field": "", "scale": "source", "points": axis.points}
    added |= {f"axis.{axis.name}.{key}": value for key, value in entry.items()}
  return {**values, **added, "axes": (*names, *own)}


def check(values: Mapping[str, Any], axes: Sequence[Axis], source: Source) -> None:
  """Checks that a second stage has the axes and the features of its source.

  Raises:
    UserError: names the axis or the field that differs.
  """
  by_name = {axis.name: axis for axis in axes}
  for axis in source.axes:
    own = by_name[axis.name]
    field = axis.field if _sets_features(axis.field) else ""
    if own.points != axis.points or own.field != field:
      raise UserError(
        f"config.axis.{axis.name}: sets {own.field or 'nothing'} to {_few(own.points)}, that of "
        f"config.source sets {axis.field or 'nothing'} to {_few(axis.points)}; allowed: another "
        "name, or leave it out to have the source's"
      )
  set_by_axes = {field for axis in axes for field in axis.sets}
  used = fields.in_use(values)
  for field in fields.fields():
    shared = field.startswith(SHARED) or field in _of_distribution(values)
    if not shared or field in set_by_axes or field not in used:
      continue
    if values[field] != (theirs := declare.plain(source.values[field])):
      raise not_allowed(
        field, values[field], f"{theirs!r}, as in config.source (base.after copies)"
      )


def shared_fields(values: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the fields of a source that its second stage has too."""
  own = _of_distribution(values)
  return {f: v for f, v in values.items() if f.startswith(SHARED) or f in own}


def config_of(text: str) -> dict[str, Any]:
  """Returns every field of the config that config.source names, or that its folder holds."""
  if is_folder(text):
    with remote.reading(text, remote.FIRST.__contains__) as folder:
      return read_values(Workdir(folder))
  return execute.values_of(execute.get_config(text))


def _sets_features(field: str) -> bool:
  return field.startswith("density.")


def _of_distribution(values: Mapping[str, Any]) -> set[str]:
  return fields.in_use_by("data.distribution", values)


def _few(points: Sequence[Any]) -> str:
  shown = ", ".join(
    f"{point:g}" if isinstance(point, float) else str(point) for point in points[:4]
  )
  return f"({shown}{', …' if points[4:] else ''})"


def content(params: Mapping[str, np.ndarray], density: np.ndarray) -> str:
  """Returns a hash of what a second stage takes from its source."""
  digest = hashlib.sha256()
  for name, leaf in [*sorted(params.items()), ("density", density)]:
    digest.update(f"{name} {leaf.dtype} {leaf.shape}".encode())
    digest.update(leaf.tobytes())
  return digest.hexdigest()
