"""Results of models of several shapes in one dataset, with NaN for features that a model lacks."""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from toy_superposition.errors import UserError
from toy_superposition.sweeps import SHAPE_FIELDS

if TYPE_CHECKING:
  import xarray as xr

JOINED = "joined"  # attribute with the axes along which models have several shapes
# Field that sets a length → the axes of variables that have it.
LENGTHS = {"model.n_features": ("feature",), "model.n_hidden": ("hidden", "latent")}
assert set(LENGTHS) == set(SHAPE_FIELDS)


def join(datasets: "Mapping[str, xr.Dataset] | Iterable[xr.Dataset]") -> "xr.Dataset":
  """Returns the results of models of several shapes as one dataset.

  What distinguishes the shapes, such as n_features, becomes its first axes. Features and hidden
  dimensions that a model lacks are NaN, and so are combinations of axes that no dataset has.
  `joined.sel(n_features=5)` is the dataset of that shape again.

  Args:
    datasets: as `run_shapes` returns them, or any datasets of runs or of weights whose models
      differ in model.n_features or model.n_hidden.

  Raises:
    UserError: one of them is not a dataset of a run, or two have the same shape.
  """
  import xarray as xr

  named = datasets if isinstance(datasets, Mapping) else dict(enumerate(datasets))
  chosen = {name: dataset for name, dataset in named.items() if name != "/sweep"}
  if not chosen:
    raise UserError("no datasets to join; ts.run_shapes(config) returns one per shape")
  configs = [_config(dataset, name) for name, dataset in chosen.items()]
  swept = [_with_shape(dataset, configs) for dataset in chosen.values()]
  axes = sorted({str(n) for dataset in swept for n, c in dataset.coords.items() if c.ndim == 0})
  at = [tuple(dataset[axis].item() for axis in axes) for dataset in swept]
  twice = next((place for k, place in enumerate(at) if place in at[:k]), None)
  if twice is not None:
    where = "".join(f", {a} = {x}" for a, x in zip(axes, twice, strict=True))
    raise UserError(f"two datasets have the same shape{where}; allowed: one of each")
  inner = {dim for dims in LENGTHS.values() for dim in dims}
  most = {d: max(ds.sizes.get(d, 0) for ds in swept) for d in inner}
  padded = [
    ds.pad({d: (0, most[d] - n) for d, n in ds.sizes.items() if d in inner and n < most[d]})
    for ds in swept
  ]
  merged = xr.merge(
    [ds.expand_dims(axes) for ds in padded],
    join="outer",
    compat="no_conflicts",
    combine_attrs="drop_conflicts",
  )
  for axis in axes:
    merged[axis].attrs.update(swept[0][axis].attrs)
  shared = {k: v for k, v in configs[0].items() if all(other.get(k) == v for other in configs)}
  shared["axes"] = [*axes, *(name for name in shared.get("axes", ()) if name not in axes)]
  for axis in axes:
    shared.setdefault(f"axis.{axis}.field", merged[axis].attrs.get("config_field", ""))
    shared.setdefault(f"axis.{axis}.scale", "points")
    shared.setdefault(f"axis.{axis}.points", merged[axis].values.tolist())
  merged.attrs |= {"config": json.dumps(shared, sort_keys=True), JOINED: json.dumps(axes)}
  return merged


def _config(dataset: Any, name: Any) -> dict[str, Any]:
  """Returns the fields of a dataset's config.

  Raises:
    UserError: it is not a dataset of a run.
  """
  try:
    values = json.loads(dataset.attrs["config"])
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise UserError(f"dataset {name!r} is not a run's: no attribute 'config'") from error
  if not isinstance(values, dict) or "loss" not in dataset.data_vars:
    raise UserError(f"dataset {name!r} is not a run's: the variable 'loss' is missing")
  return values


def _with_shape(dataset: "xr.Dataset", configs: list[dict[str, Any]]) -> "xr.Dataset":
  """Returns a dataset with a scalar coordinate for every number of shape that differs."""
  there = {str(c.attrs.get("config_field")) for c in dataset.coords.values() if c.ndim == 0}
  own = json.loads(dataset.attrs["config"])
  for field in SHAPE_FIELDS:
    if field not in there and len({config.get(field) for config in configs}) > 1:
      name = field.rpartition(".")[2]
      dataset = dataset.assign_coords({name: ((), own[field], {"config_field": field})})
  kept = {str(n) for n, c in dataset.coords.items() if c.ndim == 0 and c.attrs.get("config_field")}
  return dataset.drop_vars([n for n, c in dataset.coords.items() if c.ndim == 0 and n not in kept])


def of_one_shape(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns a selection from joined results as the dataset of its shape; others as they are.

  Raises:
    UserError: it has models of several shapes.
  """
  if JOINED not in getattr(dataset, "attrs", {}):
    return dataset
  axes = json.loads(dataset.attrs[JOINED])
  if several := [axis for axis in axes if axis in dataset.dims]:
    raise UserError(
      f"the dataset joins models of several shapes; take one: .sel({several[0]}=…), "
      f"{several[0]} = {', '.join(map(str, dataset[several[0]].values.tolist()))}"
    )
  values = json.loads(dataset.attrs["config"])
  for axis in axes:
    field, point = str(dataset[axis].attrs["config_field"]), dataset[axis].item()
    values[field] = point
    lengths = {dim: slice(int(point)) for dim in LENGTHS.get(field, ()) if dim in dataset.dims}
    dataset = dataset.isel(lengths)
  dataset = dataset.assign_attrs(config=json.dumps(values, sort_keys=True))
  del dataset.attrs[JOINED]  # of the copy that assign_attrs returns
  return dataset
