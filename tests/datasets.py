"""A results dataset of given weights: known solutions, on which claims and figures are tried."""

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from toy_superposition import fields, measures, models, sweeps
from toy_superposition.types import Instance

# Axis → config field that it sets; config may have others, as "axis.NAME.field".
FIELDS = {
  "model": "model.name",
  "n": "model.n_features",
  "m": "model.n_hidden",
  "density": "density.base",
  "relative_importance": "importance.ratio",
  "restart": "",
}


def dataset(
  *,
  axes: Mapping[str, Any],
  config: Mapping[str, Any] | None = None,
  loss: Any = 0.0,
  measured: Sequence[str] = tuple(measures.MEASURES),
  **weights: Any,
) -> xr.Dataset:
  """Returns the dataset that a run with these trained models would have stored, in float32.

  Args:
    axes: points of the sweep's axes by name, in the order of the dimensions.
    config: fields that differ from the defaults, by dotted name; sizes follow from the weights.
    loss: of every model; its shape is broadcast against those of the axes.
    measured: rows of MEASURES, computed from the weights.
    **weights: parameters of the model by name (W and b, or W1, W2 and b), each with the axes'
      dimensions before its own or broadcast along them; biases are 0 by default.
  """
  config = dict(config or {})
  name = str(config.get("model.name", axes.get("model", ["relu_output"])[0]))
  kind = models.params_class(name)
  dims, shape = tuple(axes), tuple(len(points) for points in axes.values())
  given = {key: np.asarray(value, np.float32) for key, value in weights.items()}
  n_hidden, n_features = given["W" if "W" in given else "W1"].shape[-2:]
  sizes = {"hidden": n_hidden, "feature": n_features, "output": 1}
  for key, own in kind.DIMS.items():
    given.setdefault(key, np.zeros([sizes[dim] for dim in own], np.float32))
  values = fields.defaults() | {
    "model.name": name,
    "model.n_features": n_features,
    "model.n_hidden": n_hidden,
    "axes": dims,
    **config,
  }
  flat = {
    key: np.broadcast_to(given[key], (*shape, *own)).reshape(-1, *own)
    for key, own in ((key, tuple(sizes[dim] for dim in dims)) for key, dims in kind.DIMS.items())
  }
  instances = _instances(values, axes)
  params = kind(**{key: jnp.asarray(array) for key, array in flat.items()})
  computed = _measured(params, instances, tuple(measured)) if measured else {}
  finite = np.all([np.isfinite(x).reshape(len(x), -1).all(axis=1) for x in flat.values()], axis=0)
  variables = {
    **{key: (kind.DIMS[key], array) for key, array in flat.items()},
    **{key: (measures.MEASURES[key].dims, array) for key, array in computed.items()},
    "feature_density": (("feature",), instances.density),
    "feature_importance": (("feature",), instances.importance),
    "peak_learning_rate": ((), instances.learning_rate),
    "loss": ((), np.broadcast_to(np.asarray(loss, np.float32), shape).ravel()),
    "finite": ((), finite.astype(np.int8)),
  }
  return xr.Dataset(
    {
      key: ((*dims, *own), np.array(array).reshape(*shape, *array.shape[1:]))
      for key, (own, array) in variables.items()
    },
    {key: list(points) for key, points in axes.items()},
    {"model": name, "config": json.dumps(values, sort_keys=True)},
  )


@functools.partial(jax.jit, static_argnums=2)
def _measured(params: Any, instances: Instance, names: tuple[str, ...]) -> dict[str, jax.Array]:
  """Returns measures by name, by one program and not by one for each operation."""
  return measures.measure(params, instances, names)


def _instances(values: Mapping[str, Any], axes: Mapping[str, Any]) -> Instance:
  """Returns the instances of the sweep's cells, with one leading axis."""
  shape = tuple(len(points) for points in axes.values())
  cells = np.indices(shape).reshape(len(shape), -1)
  columns = {}
  for (name, points), cell in zip(axes.items(), cells, strict=True):
    field = values.get(f"axis.{name}.field", FIELDS.get(name, ""))
    if field and sweeps.is_swept(field):
      columns[field] = np.asarray(points)[cell]
  index = np.arange(int(np.prod(shape)))
  return sweeps.make_instances(values, columns, index, spec=fields.make_spec(values))
