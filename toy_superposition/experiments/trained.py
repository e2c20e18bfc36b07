"""Rebuilds trained models from a results dataset, to run them on fresh examples."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition import distributions, evaluation, fields, models, problem, sizes
from toy_superposition.devices import mapping
from toy_superposition.problem import Problem
from toy_superposition.records import schema
from toy_superposition.types import Instance, Params

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
  values = schema.config(dataset) | changes
  rare = distributions.any_rare(dataset["feature_density"].values)
  made = problem.make(dataclasses.replace(fields.make_spec(values), rare=rare))
  dims = tuple(str(name) for name in dataset["loss"].dims)
  shape = dataset["loss"].shape

  def leading(name: str, *trailing: str) -> np.ndarray:
    array = dataset[name].transpose(*dims, *trailing).values
    return array.reshape(-1, *array.shape[len(dims) :])

  model = made.spec.model
  arrays = {name: leading(name, *models.PARAM_DIMS[name]) for name in models.param_names(model)}
  instances = Instance(
    index=np.arange(int(np.prod(shape)), dtype=np.int32),
    density=leading("feature_density", "feature"),
    importance=leading("feature_importance", "feature"),
    learning_rate=leading("peak_learning_rate"),
  )
  return Trained(made, models.params_class(model)(**arrays), instances, dims, shape)


def each(
  function: Callable[[Params, Instance], Any], models: Trained, mesh: Mesh, bytes_each: int = 0
) -> Any:
  """Returns function(params, instance) of every model, on the host, with a leading instance axis.

  Args:
    function: of one model.
    models: to which it is applied.
    mesh: the devices.
    bytes_each: bytes that one model takes; 0 stands for those of one batch of evaluation.
  """
  spec = models.problem.spec
  bytes_each = bytes_each or (
    sizes.params_bytes(spec) + sizes.batch_bytes(spec, evaluation.batch_size(spec))
  )
  return mapping.map_slices(
    lambda operands: jax.vmap(function)(*operands),
    (models.params, models.instances),
    mesh=mesh,
    bytes_each=bytes_each,
    budget=CACHE,
  )
