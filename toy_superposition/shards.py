"""One experiment on many machines that know nothing of each other: --shard=i/N.

A shard is a run of its own, in a folder of its own, of a chunk of the instances. An instance's
random numbers depend only on its index in the full sweep, so all shards together are the full run.
"""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from toy_superposition import sizes
from toy_superposition.config.resolve import ResolvedConfig
from toy_superposition.devices.plan import fix_estimators
from toy_superposition.errors import TransientError, UserError
from toy_superposition.models import param_names
from toy_superposition.records import history, netcdf, schema
from toy_superposition.records.opening import differences
from toy_superposition.records.workdir import Workdir, identity_hash, read_identity
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

FOLDER = "shards"
FIELD = "shard"  # beside the config's fields in a shard's manifest
Outcome = Mapping[str, np.ndarray]  # a group's variables of the results, by name


class Shard(NamedTuple):
  """Shard `number`, from 0, of `total`."""

  number: int
  total: int

  @property
  def name(self) -> str:
    """As --shard has it."""
    return f"{self.number}/{self.total}"

  def folder(self, root: Path) -> Path:
    """Returns the shard's own folder in an experiment's folder."""
    return root / FOLDER / f"{self.number:05d}-of-{self.total:05d}"


def parse(text: str, resolved: ResolvedConfig) -> Shard:
  """Returns the shard that a flag names.

  Raises:
    UserError: it is not i/N with 0 ≤ i < N, or there are fewer instances than shards.
  """
  match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
  shard = Shard(*map(int, match.groups())) if match else Shard(0, 0)
  if not 0 <= shard.number < shard.total:
    raise UserError(f"--shard={text}: allowed: i/N with i from 0 to N − 1, such as 0/16")
  if shard.total > (n := _n_instances(resolved)):
    raise UserError(f"--shard={text}: more shards than the {n} instances; allowed: N up to {n}")
  return shard


def cut(resolved: ResolvedConfig, shard: Shard, platform: str) -> ResolvedConfig:
  """Returns the config with the shard's instances alone.

  They are neighbours in the sweep, so that a shard compiles few programs. Estimators are fixed
  before: a shard that chose for itself could pick another one, and so other random numbers.

  Args:
    resolved: of the full sweep.
    shard: one of its shards.
    platform: of the devices that train it.
  """
  n_instances = _n_instances(resolved)
  first, last = (k * n_instances // shard.total for k in (shard.number, shard.number + 1))
  groups, before = [], 0
  for group in fix_estimators(resolved, platform).groups:
    chosen = slice(max(first - before, 0), max(last - before, 0))
    before += len(group.cells)
    if len(group.cells[chosen]):
      instances = jax.tree.map(lambda leaf, s=chosen: leaf[s], group.instances)
      groups.append(Group(group.spec, instances, group.cells[chosen]))
  return dataclasses.replace(resolved, groups=tuple(groups))


def _n_instances(resolved: ResolvedConfig) -> int:
  return sum(len(group.cells) for group in resolved.groups)


def identity(resolved: ResolvedConfig, shard: Shard) -> dict[str, Any]:
  """Returns the fields that decide a shard's results."""
  return resolved.identity | {FIELD: shard.name}


def check_neighbours(root: Path, resolved: ResolvedConfig, shard: Shard) -> None:
  """Checks that the folder holds no full run, and that another shard in it is of the same sweep.

  Raises:
    UserError: there is a full run, or a shard of another config or another number of shards.
  """
  if Workdir(root).manifest.exists() and not (root / FOLDER).exists():
    raise UserError(f"{root}: holds a run that is not in shards; use another --workdir")
  other = next((s for s in begun(root) if s != shard), None)
  if other is not None:
    _compare(root, other, _plain_identity(resolved), shard.total)


def begun(root: Path) -> list[Shard]:
  """Returns the shards that were begun in a folder, by their number."""
  matches = (re.fullmatch(r"(\d+)-of-(\d+)", path.name) for path in (root / FOLDER).glob("*"))
  shards = [Shard(*map(int, match.groups())) for match in matches if match]
  return sorted(shard for shard in shards if Workdir(shard.folder(root)).manifest.exists())


def _plain_identity(resolved: ResolvedConfig) -> dict[str, Any]:
  """Returns the config's identity as a manifest has it: tuples are lists."""
  return json.loads(json.dumps(resolved.identity))


def _compare(root: Path, shard: Shard, identity: Mapping[str, Any], total: int) -> None:
  """Raises UserError for a shard of another config or another number of shards."""
  theirs = read_identity(Workdir(shard.folder(root)))
  theirs.pop(FIELD, None)
  different = differences(theirs, identity)
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


def save(folder: Path, resolved: ResolvedConfig, outcomes: Sequence[Outcome]) -> None:
  """Writes the results of a shard's groups; the file appears complete or not at all.

  Args:
    folder: of the shard, whose manifest says which run the file belongs to.
    resolved: the shard's own groups.
    outcomes: of each group.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  import xarray as xr

  tree = {"/": xr.Dataset(attrs={"groups": len(outcomes)})}
  for number, (group, outcome) in enumerate(zip(resolved.groups, outcomes, strict=True)):
    variables = {
      name: (("instance", *(f"{name}_{k}" for k in range(1, values.ndim))), values)
      for name, values in outcome.items()
    }
    tree[f"/group_{number}"] = xr.Dataset(
      variables,
      {"instance": ("instance", group.instances.index)},
      {"estimator": group.spec.estimator},
    )
  workdir = Workdir(folder)
  netcdf.write(workdir.shard, tree, identity_hash(read_identity(workdir)))


def is_finished(folder: Path) -> bool:
  """Returns whether a shard's results are in its folder."""
  return Workdir(folder).shard.exists()


def collect(root: Path, resolved: ResolvedConfig) -> tuple[list[Outcome], list[str]]:
  """Returns the results of every group of the sweep, joined from its shards, and its estimator.

  It has several, as records.schema.SEVERAL joins them, if the shards' devices differed.

  Raises:
    UserError: shards are missing, damaged, or of different configs.
  """
  shards, identity = begun(root), _plain_identity(resolved)
  total = shards[0].total
  if total > (n := _n_instances(resolved)):
    raise UserError(f"{shards[0].folder(root)}: one of {total} shards of {n} instances")
  for shard in shards:
    _compare(root, shard, identity, total)
  finished = {shard.number for shard in shards if is_finished(shard.folder(root))}
  missing = [i for i in range(total) if i not in finished]
  if missing:
    raise TransientError(
      f"{root}: {len(missing)} of {total} shards missing: {_ranges(missing)}; "
      f"run the experiment's command with --shard={missing[0]}/{total}"
    )
  chunks = [chunk for shard in shards for chunk in _read(root, resolved, shard)]
  own = [_own(group, chunks) for group in resolved.groups]
  outcomes = [_join(group, parts) for group, parts in zip(resolved.groups, own, strict=True)]
  return outcomes, [_estimator(parts) for parts in own]


def _read(root: Path, resolved: ResolvedConfig, shard: Shard) -> list["xr.Dataset"]:
  """Returns the datasets of a shard's groups.

  Args:
    root: folder of all shards.
    resolved: of the full sweep.
    shard: one of its shards.

  Raises:
    UserError: its file cannot be read, is damaged, or belongs to another run or shard.
  """
  path = Workdir(shard.folder(root)).shard
  datasets = netcdf.read(path, identity_hash(identity(resolved, shard)))
  chunks = [dataset for name, dataset in datasets.items() if name != netcdf.ROOT]
  for chunk in chunks:
    if reason := _mismatch(resolved, chunk):
      raise netcdf.not_ours(path, reason)
  return chunks


def _mismatch(resolved: ResolvedConfig, chunk: "xr.Dataset") -> str:
  """Returns in what a dataset is not of instances of a group, "" if it is."""
  index = chunk.variables.get("instance")
  if index is None or index.dims != ("instance",) or index.dtype.kind != "i" or not index.size:
    return "there are no instances"
  groups = [g for g in resolved.groups if np.isin(index.values, g.instances.index).all()]
  if not groups:
    return "its instances are not of one group of this run"
  spec = groups[0].spec
  steps = history.steps(
    spec.steps, resolved.values["history.num"], resolved.values["history.scale"]
  )
  needed = {*schema.SCORES, *param_names(spec.model), *resolved.measures}
  needed |= {f"{schema.HISTORY}{name}" for name in (*param_names(spec.model), "loss") if steps}
  if missing := needed - set(chunk.data_vars):
    return f"the variable {min(missing)!r} is missing"
  lengths = {"hidden": spec.n_hidden, "feature": spec.n_features, "step": len(steps)}
  lengths |= {"latent": spec.n_hidden, "input": sizes.n_inputs(spec)}
  for name, variable in chunk.data_vars.items():
    try:
      dims = schema.labels(str(name), spec.model)[0]
    except KeyError:
      return f"there is no variable {name!r}"
    if variable.dims[:1] != ("instance",) or variable.dtype.kind not in "biuf":
      return f"the variable {name!r} has no number of each instance"
    shape = variable.shape[1:]
    expected = tuple(lengths.get(dim, n) for dim, n in zip(dims, shape, strict=False))
    if len(dims) != len(shape) or shape != expected:
      return f"the variable {name!r} has shape {variable.shape}"
  return ""


def _own(group: Group, chunks: Sequence["xr.Dataset"]) -> list["xr.Dataset"]:
  """Returns the datasets of one group's instances."""
  return [c for c in chunks if int(c["instance"].values[0]) in group.instances.index]


def _estimator(own: Sequence["xr.Dataset"]) -> str:
  """Returns the estimators of a group's shards; "unknown" of those that did not record it."""
  return schema.SEVERAL.join(
    sorted({str(chunk.attrs.get("estimator", "unknown")) for chunk in own})
  )


def _join(group: Group, own: Sequence["xr.Dataset"]) -> Outcome:
  """Returns one group's variables, in the order of its instances."""
  positions = {int(index): row for row, index in enumerate(group.instances.index)}
  rows = np.array([positions[int(i)] for chunk in own for i in chunk["instance"].values])
  order = np.argsort(rows)
  if not np.array_equal(rows[order], np.arange(len(group.instances.index))):
    raise UserError(
      "the shards do not hold every instance once; run them again in another --workdir"
    )
  names = [str(name) for name in own[0].data_vars]
  if any({*chunk.data_vars} != {*names} for chunk in own):
    raise UserError("the shards hold different variables; run them again in another --workdir")
  return {name: np.concatenate([chunk[name].values for chunk in own])[order] for name in names}


def _ranges(numbers: Sequence[int]) -> str:
  """Returns numbers as text such as 0–3, 7."""
  runs: list[list[int]] = []
  for number in numbers:
    if runs and number == runs[-1][-1] + 1:
      runs[-1].append(number)
    else:
      runs.append([number])
  return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
