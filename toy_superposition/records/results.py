"""results.nc: trained instances as one labelled dataset, readable without this package.

Dimensions are the sweep's axes, then `hidden` and `feature`. Where an axis changes the shape of
the parameters, each of its points is a netCDF group of its own, named like n_features=5; if an
analysis is about all of them, the group sweep holds the numbers of each along all axes.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from toy_superposition.errors import UserError
from toy_superposition.measures import MEASURES
from toy_superposition.models import MODELS, PARAM_DIMS, PARAMS, Model
from toy_superposition.records import files, history
from toy_superposition.records.workdir import Workdir, versions
from toy_superposition.sweep import Axis
from toy_superposition.types import Group, Params

if TYPE_CHECKING:
  import xarray as xr

ROOT = "/"
SWEEP = "/sweep"  # the numbers of all shapes, if an analysis is about them together
SEVERAL = " and "  # between the names of a dataset's models
VARIABLES: dict[str, tuple[tuple[str, ...], str]] = {
  **{name: (dims, f"parameter {name}") for name, dims in PARAM_DIMS.items()},
  **{
    f"history_{name}": (("step", *dims), f"parameter {name} during training")
    for name, dims in PARAM_DIMS.items()
  },
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


def labels(name: str) -> tuple[tuple[str, ...], str]:
  """Returns the axes of a variable, after those of the sweep, and what it is in words.

  Measures are looked up when they are used: a row may be added at any time.
  """
  if name in VARIABLES:
    return VARIABLES[name]
  return MEASURES[name].dims, MEASURES[name].long_name


class Results(NamedTuple):
  """A stored run, or one netCDF group of it."""

  dataset: "xr.Dataset"
  model: Model | None  # None where the dataset has several, along an axis
  params: Params  # leading axes as in dataset["b"]
  values: dict[str, Any]  # every field of the config, by dotted name


def assemble(
  values: Mapping[str, Any],
  axes: Sequence[Axis],
  groups: Sequence[Group],
  outcomes: Sequence[Mapping[str, np.ndarray]],
) -> dict[str, "xr.Dataset"]:
  """Returns netCDF group → dataset.

  Args:
    values: every field of the config.
    axes: of the sweep.
    groups: in the order of the sweep.
    outcomes: of each group, variable name → values with a leading instance axis.
  """
  datasets: dict[str, xr.Dataset] = {}
  members: dict[str, list[int]] = {}
  for i, group in enumerate(groups):
    chosen = [f"{a.name}={a.points[group.cells[0, k]]}" for k, a in enumerate(axes) if a.reshapes]
    members.setdefault(ROOT + ",".join(chosen), []).append(i)
  for path, indices in members.items():
    parts = []
    for i in indices:
      objective = outcomes[i][f"loss_{groups[i].spec.reduction}"]
      parts.append((groups[i], {**outcomes[i], "loss": objective}))
    datasets[path] = _dataset(values, axes, parts)
  return datasets


def _dataset(
  values: Mapping[str, Any],
  axes: Sequence[Axis],
  parts: Sequence[tuple[Group, Mapping[str, np.ndarray]]],
) -> "xr.Dataset":
  """Returns the dataset of groups whose parameters have one shape."""
  import xarray as xr

  kept = [k for k, axis in enumerate(axes) if not axis.reshapes]
  dims = tuple(axes[k].name for k in kept)
  shape = tuple(len(axes[k].points) for k in kept)
  variables = {}
  for name, sample in parts[0][1].items():
    trailing, long_name = labels(name)
    filled = np.empty((*shape, *sample.shape[1:]), sample.dtype)
    for group, outcome in parts:
      if kept:
        filled[tuple(group.cells[:, k] for k in kept)] = outcome[name]
      else:
        filled[...] = outcome[name][0]  # one instance, no dimension
    variables[name] = ((*dims, *trailing), filled, {"long_name": long_name})
  reductions = sorted({group.spec.reduction for group, _ in parts})
  variables["loss"][2]["reduction"] = " or ".join(reductions)
  coords: dict[str, Any] = {
    axes[k].name: (axes[k].name, np.asarray(axes[k].points), {"config_field": axes[k].field})
    for k in kept
  }
  # What distinguishes this netCDF group: a coordinate without a dimension, and in its config.
  first = parts[0][0].cells[0]
  fixed = {axis: axis.points[first[k]] for k, axis in enumerate(axes) if axis.reshapes}
  coords |= {axis.name: ((), point, {"config_field": axis.field}) for axis, point in fixed.items()}
  values = {**values, **{axis.field: point for axis, point in fixed.items()}}
  attributes = {
    "title": str(values["name"]),
    "model": SEVERAL.join(sorted({group.spec.model for group, _ in parts})),
    "seed": int(values["seed"]),
    "loss_evaluation": str(values["evaluation.method"]),
    "config": json.dumps(values, sort_keys=True),
    "versions": json.dumps(versions(), sort_keys=True),
    "source": "toy_superposition",
  }
  steps = history.steps(parts[0][0].spec.steps, values["history.num"], values["history.scale"])
  if steps:
    coords["step"] = ("step", np.asarray(steps), {"long_name": "optimizer steps"})
  return xr.Dataset(variables, coords, attributes)


def gathered(datasets: Mapping[str, "xr.Dataset"]) -> "xr.Dataset":
  """Returns the numbers of every shape in one dataset: all variables without the dimensions of a
  model's parameters, along the axes of the shapes, ascending, and then the others."""
  import xarray as xr

  parts = []
  for dataset in datasets.values():
    numbers = [k for k, v in dataset.data_vars.items() if not {"hidden", "feature"} & set(v.dims)]
    shape = [name for name, coordinate in dataset.coords.items() if coordinate.ndim == 0]
    parts.append(dataset[numbers].expand_dims(shape))
  whole = xr.combine_by_coords(parts, combine_attrs="drop_conflicts")
  assert isinstance(whole, xr.Dataset)  # as all parts are
  configs = [json.loads(dataset.attrs["config"]) for dataset in datasets.values()]
  shared = {k: v for k, v in configs[0].items() if all(other[k] == v for other in configs)}
  return whole.assign_attrs(config=json.dumps(shared))


def save(workdir: Workdir, datasets: Mapping[str, "xr.Dataset"]) -> None:
  """Writes results.nc, whole or not at all.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  import xarray as xr

  tree = dict(datasets)
  if ROOT not in tree:  # whoever opens the file without naming a group learns what is in it
    shared = next(iter(tree.values())).attrs
    named = {name: shared[name] for name in ("title", "seed", "versions", "source")}
    tree[ROOT] = xr.Dataset(attrs=named | {"groups": json.dumps(list(datasets))})
  # Made in memory: HDF5 can bring the process down when a file meets a full disk.
  content = xr.DataTree.from_dict(tree).to_netcdf(engine="h5netcdf")
  with files.replacing(workdir.results) as temporary:
    temporary.write_bytes(content)


def read(workdir: Workdir) -> dict[str, "xr.Dataset"]:
  """Returns netCDF group → dataset of a finished run, in memory.

  Raises:
    UserError: there are no results, or the file is damaged.
  """
  import xarray as xr

  if not workdir.results.exists():
    raise UserError(f"{workdir.results}: not found; is the run finished?")
  try:
    tree = xr.open_groups(workdir.results, engine="h5netcdf")
    found = {path: dataset.load() for path, dataset in tree.items() if dataset.variables}
    for dataset in tree.values():
      dataset.close()
  except (OSError, ValueError, KeyError, RuntimeError) as error:
    reason = f"damaged ({files.one_line(error)}); delete it and run the same command again"
    raise UserError(f"{workdir.results}: {reason}") from error
  return found


def load(workdir: Path | str, group: str = ROOT) -> Results:
  """Returns the stored dataset with the model and parameters rebuilt.

  Names in the file are looked up in this package's tables; nothing in it is executed.

  Args:
    workdir: the folder of a finished run.
    group: the netCDF group, for a sweep over shapes; the whole file otherwise.

  Raises:
    UserError: no such run or group, or the file is damaged.
  """
  found = read(Workdir(Path(workdir)))
  found.pop(SWEEP, None)  # without parameters
  if group not in found:
    raise UserError(f"{workdir}: no group {group!r}; there are: {', '.join(sorted(found))}")
  try:
    return rebuild(found[group])
  except UserError as error:
    path = Workdir(Path(workdir)).results
    raise UserError(f"{path}: not written by this package, or damaged ({error})") from error


def rebuild(dataset: "xr.Dataset") -> Results:
  """Returns a run's dataset with the model and parameters rebuilt.

  Raises:
    UserError: it is not a dataset of a run, or of models that do not exist here.
  """
  try:
    models = [MODELS[name] for name in dataset.attrs["model"].split(SEVERAL)]
    kind = PARAMS[models[0].params]
    names = [field.name for field in dataclasses.fields(kind)]
    arrays = {name: jnp.asarray(dataset[name].values) for name in names}
    values = json.loads(dataset.attrs["config"])
  except (KeyError, ValueError) as error:
    raise UserError(f"not a run's dataset: {files.one_line(error)}") from error
  return Results(dataset, models[0] if len(models) == 1 else None, kind(**arrays), values)
