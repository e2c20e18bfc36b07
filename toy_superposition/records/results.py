"""results.nc: trained instances as one labelled dataset, readable without this package.

Dimensions are the sweep's axes, then those of the variable, such as `hidden` and `feature`. If an
axis changes the shape of the parameters, every point of it is a netCDF group named like
n_features=5, and the group `sweep` holds the variables without these dimensions along all axes,
for experiments that compare sizes. README.md beside this file is the reference.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from toy_superposition import declare, models
from toy_superposition.errors import UserError
from toy_superposition.models import Model, param_names, params_class
from toy_superposition.records import history, netcdf, schema, upgrade
from toy_superposition.records import workdir as workdirs
from toy_superposition.records.netcdf import ROOT
from toy_superposition.records.schema import SEVERAL, labels
from toy_superposition.records.versions import commit_of_process, versions
from toy_superposition.records.workdir import Workdir
from toy_superposition.sweeps import Axis, Source
from toy_superposition.types import Group, Params

if TYPE_CHECKING:
  import xarray as xr

SWEEP = "/sweep"  # variables of all model sizes, for an experiment that compares sizes
SIZED = {"hidden", "feature", "input", "latent", "output"}  # axes of a variable of one model size
MAX_NAME = 1_000  # characters of a netCDF group's name, which becomes part of a picture's
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
  estimators: Sequence[str],
  source: Source | None = None,
) -> dict[str, "xr.Dataset"]:
  """Returns netCDF group → dataset.

  Args:
    values: every field of the config.
    axes: of the sweep.
    groups: in the order of the sweep.
    outcomes: of each group.
    estimators: of each group, as "auto" decided on the devices that trained it.
    source: models on which these were trained, if any.
  """
  members: dict[str, list[tuple[Group, Outcome]]] = {}
  used: dict[str, set[str]] = {}
  for group, outcome, estimator in zip(groups, outcomes, estimators, strict=True):
    names = [f"{a.name}={a.points[group.cells[0, k]]}" for k, a in enumerate(axes) if a.reshapes]
    objective = outcome[f"loss_{group.spec.reduction}"]
    path = ROOT + ",".join(names)
    members.setdefault(path, []).append((group, {**outcome, "loss": objective}))
    used.setdefault(path, set()).update(estimator.split(SEVERAL))
  datasets = {
    path: _dataset(values, axes, chosen).assign_attrs(estimator=SEVERAL.join(sorted(used[path])))
    for path, chosen in members.items()
  }
  if source:
    stored = {schema.SOURCE: json.dumps(dict(source.values), sort_keys=True)}
    datasets = {path: dataset.assign_attrs(stored) for path, dataset in datasets.items()}
  return datasets


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
  for k in array_axes:
    for field, points in axes[k].together:
      name = f"{axes[k].name}_{field.replace('.', '_')}"
      coords[name] = (axes[k].name, np.asarray(points), {"config_field": field})
  # The other axes' points of this netCDF group: coordinates without a dimension, and in its config.
  for k, axis in enumerate(axes):
    if axis.reshapes:
      i = first.cells[0, k]
      coords[axis.name] = ((), axis.points[i], {"config_field": axis.field})
      values = {**values, **{field: points[i] for field, points in axis.sets.items()}}
  attributes = {
    "title": str(values["name"]),
    "model": SEVERAL.join(sorted({group.spec.model for group, _ in members})),
    "seed": int(values["seed"]),
    "loss_evaluation": str(values["evaluation.method"]),
    "config": json.dumps(values, sort_keys=True),
    "versions": json.dumps(versions(), sort_keys=True),
    "commit": commit_of_process(),
    "source": "toy_superposition",
  }
  steps = history.steps(first.spec.steps, values["history.num"], values["history.scale"])
  if steps:
    coords["step"] = ("step", np.asarray(steps), {"long_name": "optimizer steps"})
  return xr.Dataset(variables, coords, attributes)


def gathered(datasets: Mapping[str, "xr.Dataset"]) -> "xr.Dataset":
  """Returns one dataset of all model sizes: the variables without SIZED axes.

  Its leading dimensions are the axes that change sizes, ascending; the other axes follow. The
  config has the fields in which all sizes agree.

  Args:
    datasets: netCDF group → dataset of one model size.
  """
  import xarray as xr

  expanded = []
  for dataset in datasets.values():
    names = [k for k, v in dataset.data_vars.items() if not SIZED & set(v.dims)]
    sizes = [name for name, coordinate in dataset.coords.items() if coordinate.ndim == 0]
    expanded.append(dataset[names].expand_dims(sizes))
  combined = xr.combine_by_coords(expanded, combine_attrs="drop_conflicts")
  assert isinstance(combined, xr.Dataset)  # as all of `expanded` are
  configs = [json.loads(dataset.attrs["config"]) for dataset in datasets.values()]
  shared = {k: v for k, v in configs[0].items() if all(other[k] == v for other in configs)}
  return combined.assign_attrs(config=json.dumps(shared))


def save(
  workdir: Workdir, datasets: Mapping[str, "xr.Dataset"], identity: str | None = None
) -> None:
  """Writes results.nc, whole or not at all.

  Args:
    workdir: of the run.
    datasets: netCDF group → dataset.
    identity: hash of the run's identity (workdir.identity_hash), by which `read` recognises it; by
      default that of the folder's manifest, if there is one.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  import xarray as xr

  tree = dict(datasets)
  if ROOT not in tree:  # what a reader finds who opens the file without naming a group
    shared = next(iter(tree.values())).attrs
    attributes = {name: shared[name] for name in ("title", "seed", "versions", "commit", "source")}
    tree[ROOT] = xr.Dataset(attrs=attributes | {"groups": json.dumps(list(datasets))})
  netcdf.write(workdir.results, tree, identity or _identity(workdir))


def read(workdir: Workdir, identity: str | None = None) -> dict[str, "xr.Dataset"]:
  """Returns netCDF group → dataset of a finished run, in memory and under today's names.

  Args:
    workdir: of the run.
    identity: hash of its identity; by default that of the folder's manifest, if there is one.

  Raises:
    Damaged: the file is damaged, or this package did not write it.
    UserError: there are no results, or they belong to another run.
  """
  path = workdir.results
  if not path.exists() and not path.is_symlink():
    raise UserError(f"{path}: not found; is the run finished?")
  datasets = netcdf.read(path, identity or _identity(workdir))
  try:
    return {name: _checked(name, ds) for name, ds in datasets.items() if ds.variables}
  except UserError as error:
    raise netcdf.not_ours(path, str(error)) from error


def _checked(group: str, dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset of a netCDF group under today's names.

  Raises:
    UserError: it is not one that this package wrote.
  """
  points = [part.partition("=") for part in group.removeprefix(ROOT).split(",")]
  if group not in (ROOT, SWEEP) and not all(axis and point for axis, _, point in points):
    raise UserError(f"the name of group {group!r} is not that of a model shape")
  if len(group) > MAX_NAME:
    raise UserError(f"a group's name has {len(group)} characters; allowed: {MAX_NAME}")
  dataset = upgrade.upgraded_dataset(dataset)
  schema.check(dataset, all_sizes=group == SWEEP)
  return dataset


def _identity(workdir: Workdir) -> str | None:
  """Returns the hash of a run's identity, as its folder has it; None without a readable manifest of
  a format with such hashes."""
  with contextlib.suppress(UserError):
    manifest = workdirs.stored_manifest(workdir)
    if manifest and manifest["format"] >= workdirs.CHECKSUMS:
      return workdirs.identity_hash(manifest["identity"])
  return None


def load(workdir: Path | str, shape: str = ROOT) -> Results:
  """Returns the stored dataset with the model and parameters rebuilt.

  Names in the file are looked up in this package's tables; nothing in it is executed.

  Args:
    workdir: the folder of a finished run.
    shape: in a sweep over model sizes, the netCDF group of one of them, such as "/n_features=5".

  Raises:
    UserError: there is no such run or shape, or the file is damaged.
  """
  folder = Workdir(Path(workdir).expanduser())
  datasets = read(folder)
  datasets.pop(SWEEP, None)  # without parameters
  if shape not in datasets:
    raise UserError(f"{workdir}: no shape {shape!r}; there are: {', '.join(sorted(datasets))}")
  try:
    return rebuild(datasets[shape])
  except UserError as error:
    raise netcdf.not_ours(folder.results, str(error)) from error


def rebuild(dataset: "xr.Dataset") -> Results:
  """Returns a run's dataset with the model and parameters rebuilt.

  Raises:
    UserError: it is not a dataset of a run, or its model does not exist in this package.
  """
  dataset = upgrade.upgraded_dataset(dataset)
  values, names = schema.config(dataset), schema.model_names(dataset)
  arrays = {name: schema.parameter(dataset, name, names[0]) for name in param_names(names[0])}
  model = None
  if len(names) == 1:
    model = models.built(declare.build("model.name", names[0], values))
  return Results(dataset, model, params_class(names[0])(**arrays), values)
