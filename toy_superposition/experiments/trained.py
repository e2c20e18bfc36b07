"""Rebuilds trained models from a results dataset, to run them on fresh examples."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition import evaluation, fields, models, problem, sizes, sweeps
from toy_superposition.devices import mapping, memory
from toy_superposition.devices.layout import fitting
from toy_superposition.devices.plan import check_fits
from toy_superposition.problem import Problem
from toy_superposition.records import schema
from toy_superposition.types import Instance, Params, Spec

if TYPE_CHECKING:
  import xarray as xr

# Bytes of a slice. Slices of about the size of a core's cache are evaluated several times faster
# than all instances at once.
CACHE = 2**22


class Trained(NamedTuple):
  """Models of one Spec, with a leading instance axis on the host."""

  problem: Problem
  params: Params
  instances: Instance
  dims: tuple[str, ...]  # of the dataset, flattened into the instance axis
  shape: tuple[int, ...]  # sizes of these dimensions
  memory_gib: float = 0.0  # the run's, see config.run.memory_gib

  def unflatten(self, values: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Returns (dims, values) with the sweep's axes in the place of the instance axis."""
    return self.dims, values.reshape(*self.shape, *values.shape[1:])


def trained(dataset: "xr.Dataset", **changes: Any) -> Trained:
  """Returns the models of a results dataset.

  Args:
    dataset: models of one Spec, with the attribute `config` of this or an earlier version.
    **changes: config fields by dotted name that hold another value for these models, such as a
      point of an axis.
  """
  points = {
    str(axis.attrs["config_field"]): axis
    for axis in dataset.coords.values()
    if axis.attrs.get("config_field")
  }
  values = schema.config(dataset)
  for field, axis in points.items():
    if len(np.unique(axis)) == 1:
      values[field] = axis.values.flat[0].item()
    elif field not in changes and not sweeps.is_swept(field):
      raise ValueError(f"the models differ in {field}: select those of one value")
  values |= changes
  memory_gib = values["run.memory_gib"]
  spec = fields.make_spec(values)
  if (source := schema.source(dataset)) is not None:
    spec = dataclasses.replace(spec, source=fields.make_spec(source))
  dims = tuple(str(name) for name in dataset["loss"].dims)
  shape = dataset["loss"].shape

  def leading(name: str, *trailing: str) -> np.ndarray:
    array = dataset[name].transpose(*dims, *trailing).values
    return array.reshape(-1, *array.shape[len(dims) :])

  model = spec.model
  arrays = {name: leading(name, *models.PARAM_DIMS[name]) for name in models.param_names(model)}
  density = leading("feature_density", "feature")
  columns = {
    field: np.broadcast_to(
      axis.values.reshape([-1 if dim in axis.dims else 1 for dim in dims]), shape
    ).ravel()
    for field, axis in points.items()
    if axis.ndim and sweeps.is_swept(field)
  }
  numbers = sweeps.numbers(values, columns, len(density))
  given = schema.given_dims()
  instances = Instance(
    index=np.arange(int(np.prod(shape)), dtype=np.int32),
    density=density,
    importance=leading("feature_importance", "feature"),
    learning_rate=leading("peak_learning_rate"),
    given={name: leading(name, *given[name]) for name in given if name in dataset} or None,
    numbers=numbers,
  )
  made = problem.make(sweeps.with_consequences(spec, instances))
  return Trained(made, models.params_class(model)(**arrays), instances, dims, shape, memory_gib)


def working_bytes(spec: Spec) -> int:
  """Returns the bytes of one model with one batch of evaluation."""
  return sizes.params_bytes(spec) + sizes.batch_bytes(spec, evaluation.batch_size(spec))


def each(
  function: Callable[[Params, Instance], Any], models: Trained, mesh: Mesh, bytes_each: int = 0
) -> Any:
  """Returns function(params, instance) of every model, on the host, with a leading instance axis.

  Args:
    function: of one model.
    models: to which it is applied.
    mesh: the devices.
    bytes_each: bytes that one model takes; 0 stands for `working_bytes`.

  Raises:
    UserError: one model does not fit into the memory that the run may take.
  """
  devices, spec = list(mesh.devices.flat), models.problem.spec
  bytes_each = bytes_each or working_bytes(spec)
  check_fits(spec, bytes_each, memory.limit(devices, models.memory_gib))
  used = fitting(mesh, bytes_each, memory.budget(devices, models.memory_gib))
  return mapping.map_slices(
    lambda operands: jax.vmap(function)(*operands),
    (models.params, models.instances),
    mesh=used,
    bytes_each=bytes_each,
    # The same share for a device as with all of them: alone in its program, a model has other last
    # bits than beside others.
    budget=CACHE * used.size // mesh.size,
  )
