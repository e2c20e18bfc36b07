"""One experiment on many machines that know nothing of each other: --shard=i/N.

A shard is a run of its own, in a folder of its own, of a part of the instances. An instance's
random numbers depend on its index in the whole sweep alone, so the parts together are the whole.
"""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from toy_superposition import estimators
from toy_superposition.config.resolve import Experiment
from toy_superposition.errors import UserError
from toy_superposition.records import files
from toy_superposition.records.workdir import Workdir, differences, read_identity
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

FOLDER = "shards"
FIELD = "shard"  # beside the config's fields in a shard's manifest
Outcome = Mapping[str, np.ndarray]


class Shard(NamedTuple):
  """Part `number`, from 0, of `total`."""

  number: int
  total: int

  @property
  def name(self) -> str:
    """As --shard has it."""
    return f"{self.number}/{self.total}"

  def folder(self, root: Path) -> Path:
    """Returns the shard's own folder in an experiment's folder."""
    return root / FOLDER / f"{self.number:05d}-of-{self.total:05d}"


def parse(text: str, experiment: Experiment) -> Shard:
  """Returns the shard that a flag names.

  Raises:
    UserError: it is not i/N with 0 ≤ i < N, or there are fewer instances than shards.
  """
  found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
  shard = Shard(*map(int, found.groups())) if found else Shard(0, 0)
  if not 0 <= shard.number < shard.total:
    raise UserError(f"--shard={text}: allowed: i/N with i from 0 to N − 1, such as 0/16")
  if shard.total > (n := _n_instances(experiment)):
    raise UserError(f"--shard={text}: more shards than the {n} instances; allowed: N up to {n}")
  return shard


def part(experiment: Experiment, shard: Shard, platform: str) -> Experiment:
  """Returns the experiment with the shard's instances alone.

  They are neighbours in the sweep, so that a shard compiles few programs. The estimator is chosen
  for the whole group: a part that chose for itself might draw other numbers.
  """
  n = _n_instances(experiment)
  first, last = (k * n // shard.total for k in (shard.number, shard.number + 1))
  shared = experiment.values["run.feature_devices"] > 1
  groups, before = [], 0
  for group in experiment.groups:
    size = len(group.cells)
    chosen = slice(max(first - before, 0), max(last - before, 0))
    before += size
    if len(group.cells[chosen]):
      instances = jax.tree.map(lambda leaf, s=chosen: leaf[s], group.instances)
      spec = estimators.settled(group, platform, shared).spec
      groups.append(Group(spec, instances, group.cells[chosen]))
  return dataclasses.replace(experiment, groups=tuple(groups))


def _n_instances(experiment: Experiment) -> int:
  return sum(len(group.cells) for group in experiment.groups)


def identity(experiment: Experiment, shard: Shard) -> dict[str, Any]:
  """Returns what decides a shard's results."""
  return experiment.identity | {FIELD: shard.name}


def check_neighbours(root: Path, experiment: Experiment, shard: Shard) -> None:
  """Checks another shard in the same folder, if there is one, and that no whole run is there.

  Raises:
    UserError: it is of another config or another number of shards.
  """
  if Workdir(root).manifest.exists() and not (root / FOLDER).exists():
    raise UserError(f"{root}: holds a run that is not in shards; use another --workdir")
  other = next((s for s in found(root) if s != shard), None)
  if other is not None:
    wanted = json.loads(json.dumps(experiment.identity))
    _compare(root, other, wanted, shard.total)


def found(root: Path) -> list[Shard]:
  """Returns the shards that were begun in a folder, by their number."""
  matches = (re.fullmatch(r"(\d+)-of-(\d+)", path.name) for path in (root / FOLDER).glob("*"))
  there = [Shard(*map(int, match.groups())) for match in matches if match]
  return sorted(s for s in there if Workdir(s.folder(root)).manifest.exists())


def _compare(root: Path, shard: Shard, wanted: Mapping[str, Any], total: int) -> None:
  theirs = read_identity(Workdir(shard.folder(root)))
  theirs.pop(FIELD, None)
  different = differences(theirs, wanted)
  if different:
    raise UserError(
      f"{shard.folder(root)}: holds a shard of another config ({'; '.join(different)}); "
      "use another --workdir, or delete that folder"
    )
  if shard.total != total:
    raise UserError(
      f"{shard.folder(root)}: holds one of {shard.total} shards, not of {total}; "
      "use another --workdir, or delete that folder"
    )


def save(folder: Path, experiment: Experiment, outcomes: Sequence[Outcome]) -> None:
  """Writes the results of a shard's instances, whole or not at all.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  import xarray as xr

  tree = {"/": xr.Dataset(attrs={"groups": len(outcomes)})}
  for number, (group, outcome) in enumerate(zip(experiment.groups, outcomes, strict=True)):
    variables = {
      name: (("instance", *(f"{name}_{k}" for k in range(1, values.ndim))), values)
      for name, values in outcome.items()
    }
    tree[f"/group_{number}"] = xr.Dataset(
      variables, {"instance": ("instance", group.instances.index)}
    )
  content = xr.DataTree.from_dict(tree).to_netcdf(engine="h5netcdf")
  with files.replacing(Workdir(folder).shard) as temporary:
    temporary.write_bytes(content)


def is_finished(folder: Path) -> bool:
  """Whether a shard's results are there."""
  return Workdir(folder).shard.exists()


def collect(root: Path, experiment: Experiment) -> list[Outcome]:
  """Returns the results of every group of the experiment, put together from its shards.

  Raises:
    UserError: shards are missing, damaged, or of different configs.
  """
  there = found(root)
  wanted = json.loads(json.dumps(experiment.identity))
  for shard in there:
    _compare(root, shard, wanted, there[0].total)
  total = there[0].total
  finished = {s.number for s in there if is_finished(s.folder(root))}
  missing = [i for i in range(total) if i not in finished]
  if missing:
    raise UserError(
      f"{root}: {len(missing)} of {total} shards missing: {_ranges(missing)}; "
      f"run the experiment's command with --shard={missing[0]}/{total}"
    )
  parts = [part for shard in there for part in _read(Workdir(shard.folder(root)).shard)]
  return [_whole(group, parts) for group in experiment.groups]


def _read(path: Path) -> list["xr.Dataset"]:
  import xarray as xr

  try:
    tree = xr.open_groups(path, engine="h5netcdf")
    loaded = [dataset.load() for name, dataset in tree.items() if name != "/"]
    for dataset in tree.values():
      dataset.close()
  except (OSError, ValueError, KeyError, RuntimeError) as error:
    reason = f"damaged ({files.one_line(error)}); delete it and run that shard again"
    raise UserError(f"{path}: {reason}") from error
  return loaded


def _whole(group: Group, parts: Sequence["xr.Dataset"]) -> Outcome:
  """Returns one group's variables, in the order of its instances."""
  wanted = {int(index): row for row, index in enumerate(group.instances.index)}
  mine = [part for part in parts if int(part["instance"].values[0]) in wanted]
  rows = np.array([wanted[int(i)] for part in mine for i in part["instance"].values])
  order = np.argsort(rows)
  if not np.array_equal(rows[order], np.arange(len(group.instances.index))):
    raise UserError("the shards do not hold every instance once; delete them and run them again")
  names = [str(name) for name in mine[0].data_vars]
  return {name: np.concatenate([part[name].values for part in mine])[order] for name in names}


def _ranges(numbers: Sequence[int]) -> str:
  """Returns numbers as text such as 0–3, 7."""
  runs: list[list[int]] = []
  for number in numbers:
    if runs and number == runs[-1][-1] + 1:
      runs[-1].append(number)
    else:
      runs.append([number])
  return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
