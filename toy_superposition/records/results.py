"""results.nc: trained instances as one labelled dataset, readable without this package.

Dimensions are the sweep's axes, then those of the variable, such as `hidden` and `feature`. If an
axis changes the shape of the parameters, every point of it is a netCDF group named like
n_features=5, and the group `sweep` holds the variables without these dimensions along all axes,
for experiments that compare sizes. README.md beside this file is the reference.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from toy_superposition.errors import UserError
from toy_superposition.measures import MEASURES
from toy_superposition.models import MODELS, Model, param_names, params_class
from toy_superposition.records import files, history, upgrade
from toy_superposition.records.workdir import Workdir, versions
from toy_superposition.sweep import Axis
from toy_superposition.types import Group, Params

if TYPE_CHECKING:
  import xarray as xr

ROOT = "/"
SWEEP = "/sweep"  # variables of all model sizes, for an experiment that compares sizes
SEVERAL = " and "  # between the names of a dataset's models
HISTORY = "history_"  # before the names of parameters and loss during training
# Variable → its dimensions after the sweep's axes, and a description. For parameters and measures
# see `labels`.
VARIABLES: dict[str, tuple[tuple[str, ...], str]] = {
  "history_loss": (("step",), "loss during training, of the same kind as `loss`"),
  "feature_density": (("feature",), "probability that the feature is active, 1 − S"),
  "feature_importance": (("feature",), "weight I_i of the squared error"),
  "peak_learning_rate": ((), "learning rate at the schedule's peak, per step"),
  "feature_loss": (("feature",), "mean of I_i (x_i − x′_i)² over inputs"),
  "loss": ((), "training objective on fresh inputs or in expectation"),
  "loss_sum": ((), "loss, summed over features"),
  "loss_mean": ((), "loss, averaged over features"),
  "step_seconds": ((), "wall time of a step of one instance, on all devices, in seconds"),
  "finite": ((), "1 where loss and parameters are finite, else 0"),
}


def labels(name: str, model: str) -> tuple[tuple[str, ...], str]:
  """Returns the dimensions of a variable, after the sweep's axes, and its description.

  Tables are looked up when this is called: a row may be added at any time.

  Args:
    name: of the variable.
    model: row of MODELS that the variable's instances have.
  """
  if name in VARIABLES:
    return VARIABLES[name]
  parameter, dims = name.removeprefix(HISTORY), params_class(model).DIMS
  if name in dims:
    return dims[name], f"parameter {name}"
  if parameter in dims:
    return ("step", *dims[parameter]), f"parameter {parameter} during training"
  return MEASURES[name].dims, MEASURES[name].long_name


Outcome = Mapping[str, np.ndarray]  # variable → values with a leading instance axis


class Results(NamedTuple):
  """A dataset of a run, with its model and parameters rebuilt."""

  dataset: "xr.Dataset"
  model: Model | None  # None if the dataset has several, along an axis
  params: Params  # leading axes as in dataset["loss"]
  values: dict[str, Any]  # every field of the config, by dotted name


def assemble(
  values: Mapping[str, Any],
  axes: Sequence[Axis],
  groups: Sequence[Group],
  outcomes: Sequence[Outcome],
) -> dict[str, "xr.Dataset"]:
  """Returns netCDF group → dataset.

  Args:
    values: every field of the config.
    axes: of the sweep.
    groups: in the order of the sweep.
    outcomes: of each group.
  """
  members: dict[str, list[tuple[Group, Outcome]]] = {}
  for group, outcome in zip(groups, outcomes, strict=True):
    names = [f"{a.name}={a.points[group.cells[0, k]]}" for k, a in enumerate(axes) if a.reshapes]
    objective = outcome[f"loss_{group.spec.reduction}"]
    members.setdefault(ROOT + ",".join(names), []).append((group, {**outcome, "loss": objective}))
  return {path: _dataset(values, axes, chosen) for path, chosen in members.items()}


def _dataset(
  values: Mapping[str, Any], axes: Sequence[Axis], members: Sequence[tuple[Group, Outcome]]
) -> "xr.Dataset":
  """Returns the dataset of groups whose parameters have one shape."""
  import xarray as xr

  array_axes = [k for k, axis in enumerate(axes) if not axis.reshapes]
  dims = tuple(axes[k].name for k in array_axes)
  shape = tuple(len(axes[k].points) for k in array_axes)
  first, sample = members[0]
  variables = {}
  for name, array in sample.items():
    trailing, long_name = labels(name, first.spec.model)
    filled = np.empty((*shape, *array.shape[1:]), array.dtype)
    for group, outcome in members:
      if array_axes:
        filled[tuple(group.cells[:, k] for k in array_axes)] = outcome[name]
      else:
        filled[...] = outcome[name][0]  # one instance, no dimension
    variables[name] = ((*dims, *trailing), filled, {"long_name": long_name})
  reductions = sorted({group.spec.reduction for group, _ in members})
  variables["loss"][2]["reduction"] = " or ".join(reductions)
  coords: dict[str, Any] = {
    axes[k].name: (axes[k].name, np.asarray(axes[k].points), {"config_field": axes[k].field})
    for k in array_axes
  }
  # The other axes' points of this netCDF group: coordinates without a dimension, and in its config.
  fixed = {axis: axis.points[first.cells[0, k]] for k, axis in enumerate(axes) if axis.reshapes}
  coords |= {axis.name: ((), point, {"config_field": axis.field}) for axis, point in fixed.items()}
  values = {**values, **{axis.field: point for axis, point in fixed.items()}}
  attributes = {
    "title": str(values["name"]),
    "model": SEVERAL.join(sorted({group.spec.model for group, _ in members})),
    "seed": int(values["seed"]),
    "loss_evaluation": str(values["evaluation.method"]),
    "config": json.dumps(values, sort_keys=True),
    "versions": json.dumps(versions(), sort_keys=True),
    "source": "toy_superposition",
  }
  steps = history.steps(first.spec.steps, values["history.num"], values["history.scale"])
  if steps:
    coords["step"] = ("step", np.asarray(steps), {"long_name": "optimizer steps"})
  return xr.Dataset(variables, coords, attributes)


def gathered(datasets: Mapping[str, "xr.Dataset"]) -> "xr.Dataset":
  """Returns one dataset of all model sizes: the variables without `hidden` and `feature`.

  Its leading dimensions are the axes that change sizes, ascending; the other axes follow. The
  config has the fields in which all sizes agree.

  Args:
    datasets: netCDF group → dataset of one model size.
  """
  import xarray as xr

  expanded = []
  for dataset in datasets.values():
    names = [k for k, v in dataset.data_vars.items() if not {"hidden", "feature"} & set(v.dims)]
    sizes = [name for name, coordinate in dataset.coords.items() if coordinate.ndim == 0]
    expanded.append(dataset[names].expand_dims(sizes))
  combined = xr.combine_by_coords(expanded, combine_attrs="drop_conflicts")
  assert isinstance(combined, xr.Dataset)  # as all of `expanded` are
  configs = [json.loads(dataset.attrs["config"]) for dataset in datasets.values()]
  shared = {k: v for k, v in configs[0].items() if all(other[k] == v for other in configs)}
  return combined.assign_attrs(config=json.dumps(shared))


def save(workdir: Workdir, datasets: Mapping[str, "xr.Dataset"]) -> None:
  """Writes results.nc, whole or not at all.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  import xarray as xr

  tree = dict(datasets)
  if ROOT not in tree:  # what a reader finds who opens the file without naming a group
    shared = next(iter(tree.values())).attrs
    attributes = {name: shared[name] for name in ("title", "seed", "versions", "source")}
    tree[ROOT] = xr.Dataset(attrs=attributes | {"groups": json.dumps(list(datasets))})
  # Made in memory: HDF5 can end the process if the disk is full.
  content = xr.DataTree.from_dict(tree).to_netcdf(engine="h5netcdf")
  with files.replacing(workdir.results) as temporary:
    temporary.write_bytes(content)


def read(workdir: Workdir) -> dict[str, "xr.Dataset"]:
  """Returns netCDF group → dataset of a finished run, in memory and under today's names.

  Raises:
    UserError: there are no results, or the file is damaged.
  """
  import xarray as xr

  if not workdir.results.exists():
    raise UserError(f"{workdir.results}: not found; is the run finished?")
  try:
    tree = xr.open_groups(workdir.results, engine="h5netcdf")
    datasets = {path: dataset.load() for path, dataset in tree.items() if dataset.variables}
    for dataset in tree.values():
      dataset.close()
  except (OSError, ValueError, KeyError, RuntimeError) as error:
    reason = f"damaged ({files.one_line(error)}); delete it and run the same command again"
    raise UserError(f"{workdir.results}: {reason}") from error
  return {path: upgrade.upgraded_dataset(dataset) for path, dataset in datasets.items()}


def load(workdir: Path | str, shape: str = ROOT) -> Results:
  """Returns the stored dataset with the model and parameters rebuilt.

  Names in the file are looked up in this package's tables; nothing in it is executed.

  Args:
    workdir: the folder of a finished run.
    shape: in a sweep over model sizes, the netCDF group of one of them, such as "/n_features=5".

  Raises:
    UserError: there is no such run or shape, or the file is damaged.
  """
  datasets = read(Workdir(Path(workdir)))
  datasets.pop(SWEEP, None)  # without parameters
  if shape not in datasets:
    raise UserError(f"{workdir}: no shape {shape!r}; there are: {', '.join(sorted(datasets))}")
  try:
    return rebuild(datasets[shape])
  except UserError as error:
    path = Workdir(Path(workdir)).results
    raise UserError(f"{path}: not written by this package, or damaged ({error})") from error


def rebuild(dataset: "xr.Dataset") -> Results:
  """Returns a run's dataset with the model and parameters rebuilt.

  Raises:
    UserError: it is not a dataset of a run, or its model does not exist in this package.
  """
  dataset = upgrade.upgraded_dataset(dataset)
  try:
    names = dataset.attrs["model"].split(SEVERAL)
    models = [MODELS[name] for name in names]
    arrays = {name: jnp.asarray(dataset[name].values) for name in param_names(names[0])}
    values = json.loads(dataset.attrs["config"])
  except (KeyError, ValueError) as error:
    raise UserError(f"not a run's dataset: {files.one_line(error)}") from error
  model = models[0] if len(models) == 1 else None
  return Results(dataset, model, params_class(names[0])(**arrays), values)
