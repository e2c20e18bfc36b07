"""A stored dataset as trained models again: what an analysis runs on fresh examples."""

import dataclasses
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition import evaluation, models, problem, sweep
from toy_superposition.devices import mapping, memory
from toy_superposition.estimators import estimator
from toy_superposition.types import Instance, Params

if TYPE_CHECKING:
  import xarray as xr

# Slices of about the size of a core's cache are evaluated several times faster than all instances
# at once.
CACHE = 2**22  # bytes


class Trained(NamedTuple):
  """Models of one Spec, with a leading instance axis on the host."""

  problem: problem.Problem
  params: Params
  instances: Instance
  dims: tuple[str, ...]  # of the dataset, flattened into the instance axis
  shape: tuple[int, ...]

  def unflatten(self, values: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Returns (dims, values) with the sweep's axes in the place of the instance axis."""
    return self.dims, values.reshape(*self.shape, *values.shape[1:])


def trained(dataset: "xr.Dataset", **changes: Any) -> Trained:
  """Returns the dataset's models; `changes` are config fields, such as the point of an axis."""
  values = {**json.loads(dataset.attrs["config"]), **changes}
  one = problem.make(sweep.make_spec(values))
  dims = tuple(str(name) for name in dataset["loss"].dims)
  shape = dataset["loss"].shape

  def leading(name: str) -> np.ndarray:
    array = dataset[name].transpose(*dims, ...).values
    return array.reshape(-1, *array.shape[len(dims) :])

  kind = models.PARAMS[one.model.params]
  params = kind(**{field.name: leading(field.name) for field in dataclasses.fields(kind)})
  instances = Instance(
    index=np.arange(int(np.prod(shape)), dtype=np.int32),
    density=leading("feature_density"),
    importance=leading("feature_importance"),
    learning_rate=leading("peak_learning_rate"),
  )
  return Trained(one, params, instances, dims, shape)


def each(
  function: Callable[[Params, Instance], Any], models: Trained, mesh: Mesh, bytes_each: int = 0
) -> Any:
  """Returns function(params, instance) of every model, on the host, with a leading axis.

  Args:
    function: of one model.
    models: to apply it to.
    mesh: the devices.
    bytes_each: that one model takes; by default for one batch of evaluation.
  """
  spec = models.problem.spec
  bytes_each = bytes_each or (
    memory.parameter_bytes(spec) + estimator.batch_bytes(spec, evaluation.BATCH_SIZE)
  )
  return mapping.map_slices(
    lambda operands: jax.vmap(function)(*operands),
    (models.params, models.instances),
    mesh=mesh,
    bytes_each=bytes_each,
    budget=CACHE,
  )
