"""Parameters and instances of a stored dataset, as measures take them."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition import models
from toy_superposition.errors import UserError
from toy_superposition.records import schema
from toy_superposition.types import Instance, Params

if TYPE_CHECKING:
  import xarray as xr

INNER = ("hidden", "feature")
# Field of Instance → the variable that stores it, and its trailing axes.
NUMBERS: dict[str, tuple[str, tuple[str, ...]]] = {
  "density": ("feature_density", ("feature",)),
  "importance": ("feature_importance", ("feature",)),
  "learning_rate": ("peak_learning_rate", ()),
}


def instances(
  dataset: "xr.Dataset", weights: str | None = None
) -> tuple[Params, Instance, "xr.DataArray"]:
  """Returns a dataset's parameters, its instances, and an array whose axes are those of the sweep.

  Leaves have a leading instance axis, into which the sweep's axes are flattened, the last fastest.
  What does not vary along one of these axes (a density during training …) is repeated. Instances
  are numbered from 0 and have nothing given, whatever they had in the run.

  Args:
    dataset: of a run.
    weights: the variable to take as the feature directions, such as "history_W"; the other
      parameters are the variables with the same prefix, if any. By default the trained parameters.

  Raises:
    UserError: the dataset is not of a run, or `weights` lacks the axes hidden and feature.
  """
  import xarray as xr

  schema.require(dataset, ())
  matrices = [str(v) for v in dataset.data_vars if set(INNER) <= set(dataset[v].dims)]
  if weights and weights not in matrices:
    there = ", ".join(matrices) or "none"
    raise UserError(f"no weights {weights!r} in the dataset; there are: {there}")
  kind = models.params_class(schema.model_names(dataset)[0])
  trailing = dict(kind.DIMS)
  directions = next((name for name, dims in trailing.items() if dims == INNER), None)
  if directions is None:
    raise UserError(
      f"{schema.model_names(dataset)[0]} has no directions of features, as measures take them"
    )
  weights = weights or directions
  prefix = weights.removesuffix(directions) if weights.endswith(directions) else ""
  names = {name: prefix + name if prefix + name in dataset else name for name in trailing}
  names |= {directions: weights} | {field: name for field, (name, _) in NUMBERS.items()}
  trailing |= {field: dims for field, (_, dims) in NUMBERS.items()}
  # Variables of a prefix are there; they may be of an experiment, which alone knows their axes.
  own = [name for name in names.values() if not prefix or not name.startswith(prefix)]
  schema.require(dataset, own)
  outer = [dim for dim in dataset[weights].dims if dim not in INNER]
  arrays = [_varying(dataset[name], outer) for name in names.values()]
  arrays = list(xr.broadcast(*arrays, exclude=INNER))
  axes = arrays[list(names).index(directions)].isel(dict.fromkeys(INNER, 0), drop=True)
  rows = {
    field: array.transpose(*axes.dims, *trailing[field]).values.reshape(
      -1, *(dataset.sizes[dim] for dim in trailing[field])
    )
    for field, array in zip(names, arrays, strict=True)
  }
  index = np.arange(axes.size, dtype=np.int32)
  numbers = Instance(index=index, **{field: rows.pop(field) for field in NUMBERS})
  return kind(**rows), numbers, axes


def _varying(array: "xr.DataArray", outer: list) -> "xr.DataArray":
  """Returns an array without those axes, other than `outer`, along which it is constant."""
  for dim in set(array.dims) - {*outer, *INNER}:
    first = array.isel({dim: 0}, drop=True)
    array = first if bool((array == first).all()) else array
  return array
