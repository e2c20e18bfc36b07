"""The folder of one run: its paths, its manifest, and the files that --overwrite deletes.

records/README.md documents the folder for its readers.
"""

import datetime
import importlib.metadata
import json
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from toy_superposition.errors import UserError
from toy_superposition.records import files, upgrade

PACKAGES = ("toy_superposition", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
# Folders of a run, the inner ones first: --overwrite removes those that it leaves empty.
FOLDERS = (
  *("checkpoints/group_*", "checkpoints", "history/group_*", "history"),
  *("figures", "tensorboard/*", "tensorboard"),
  *("profile/plugins/profile/*", "profile/plugins/profile", "profile/plugins", "profile"),
)
# Files with names that only this package gives; for figures and checkpoints there are other rules.
OWN_FILES = (
  *("tensorboard/group_*/events.out.tfevents.*", "tensorboard/figures/events.out.tfevents.*"),
  *("history/group_*/step_*.npz", "profile/plugins/profile/*/*.xplane.pb"),
  "profile/plugins/profile/*/*.trace.json.gz",
)
# Format of the folder. Runs of an earlier one can be read, but not continued: config fields, and so
# a run's identity, have changed. A later one is from a newer version of this package.
FORMAT = 2


class Workdir(NamedTuple):
  """Paths within the folder of one run."""

  path: Path

  @property
  def manifest(self) -> Path:
    """Config, versions, devices, command and times of the run, and the pictures it drew."""
    return self.path / "manifest.json"

  @property
  def metrics(self) -> Path:
    """One JSON object per line and segment of training."""
    return self.path / "metrics.jsonl"

  @property
  def results(self) -> Path:
    """The labelled dataset; present if and only if the run is finished."""
    return self.path / "results.nc"

  @property
  def shard(self) -> Path:
    """Results of one shard (shards.py), whose folder has no results.nc."""
    return self.path / "shard.nc"

  @property
  def figures(self) -> Path:
    """Folder of the pictures drawn from the results; may be deleted."""
    return self.path / "figures"

  @property
  def report(self) -> Path:
    """The run as one HTML page; may be deleted."""
    return self.path / "report.html"

  @property
  def tensorboard(self) -> Path:
    """Folder of event files, with config.run.tensorboard."""
    return self.path / "tensorboard"

  @property
  def profile(self) -> Path:
    """Folder of a trace of some steps, with --profile_steps."""
    return self.path / "profile"

  def checkpoints(self, group: int) -> Path:
    """Folder of one group's train states."""
    return self.path / "checkpoints" / f"group_{group:04d}"

  def history(self, group: int) -> Path:
    """Folder of one group's parameters at chosen steps."""
    return self.path / "history" / f"group_{group:04d}"


def versions() -> dict[str, str]:
  """Returns the versions that results may depend on."""
  installed = {"python": platform.python_version()}
  for package in PACKAGES:
    try:
      installed[package] = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
      installed[package] = "not installed"
  return installed


def _commit() -> str | None:
  """Returns the commit of the source tree, marked if there are changes; None outside of git."""
  source = Path(__file__).parent
  command = ["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=40"]
  try:
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
  except (OSError, subprocess.TimeoutExpired):
    return None
  return done.stdout.strip() if done.returncode == 0 else None


def now() -> str:
  """Returns the time in UTC, ISO 8601."""
  return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
  """Returns "field old → new" for each field that differs, with "(absent)" for a missing one."""
  names = sorted(old.keys() | new.keys())
  absent = "(absent)"
  rows = [(name, old.get(name, absent), new.get(name, absent)) for name in names]
  return [f"{name} {a!r} → {b!r}" for name, a, b in rows if a != b]


def open_workdir(
  path: Path,
  values: Mapping[str, Any],
  identity: Mapping[str, Any],
  *,
  overwrite: bool,
  command: Sequence[str],
  devices: Sequence[str],
) -> Workdir:
  """Returns the workdir of a new or continued run, with a session added to its manifest.

  Args:
    path: the folder; made if it does not exist.
    values: every field of the config.
    identity: the fields that must be equal for a run to be continued.
    overwrite: delete the files of an earlier run first, and no others.
    command: as given by the user.
    devices: names of the devices that the session runs on.

  Raises:
    UserError: the folder holds a run of another config or of an earlier version, or a run's files
      without a manifest; or it cannot be written.
  """
  workdir = Workdir(path)
  with files.disk_errors(path):
    path.mkdir(parents=True, exist_ok=True)
  sessions: list[dict[str, Any]] = []
  pictures: list[str] = []
  if overwrite:
    _delete_run(workdir)
  if workdir.manifest.exists():
    manifest = _read_manifest(workdir)
    _refuse_earlier_format(workdir, manifest)
    different = differences(manifest["identity"], _plain(identity))
    if different:
      raise UserError(
        f"{path}: holds a run of another config ({'; '.join(different)}); "
        "use another --workdir, or --overwrite to replace it"
      )
    sessions, pictures = manifest["sessions"], manifest["pictures"]
  elif any(p.exists() for p in (workdir.results, workdir.shard, workdir.metrics)) or any(
    _steps(workdir)
  ):
    raise UserError(
      f"{path}: holds results, metrics or checkpoints without a manifest.json that names their "
      "config; use another --workdir, or --overwrite to delete them"
    )
  session: dict[str, Any] = {"started": now(), "command": list(command), "devices": list(devices)}
  session |= {"versions": versions(), "commit": _commit()}
  manifest = {
    "format": FORMAT,
    "config": _plain(values),
    "identity": _plain(identity),
    "sessions": [*sessions, session],
    "pictures": pictures,
  }
  files.write_json(workdir.manifest, manifest)
  return workdir


def close_session(workdir: Workdir, seconds: float) -> None:
  """Adds the end of the present session and its duration to the manifest."""
  manifest = files.read_json(workdir.manifest)
  manifest["sessions"][-1] |= {"ended": now(), "seconds": round(seconds, 1)}
  files.write_json(workdir.manifest, manifest)


def add_pictures(workdir: Workdir, paths: Iterable[Path]) -> None:
  """Adds files in `figures` to the manifest's list of pictures, which --overwrite deletes.

  To be called before they are written, so that a crash leaves no picture unlisted.
  """
  manifest = files.read_json(workdir.manifest)
  names = {path.relative_to(workdir.path).as_posix() for path in paths}
  manifest["pictures"] = sorted(names.union(manifest.get("pictures", ())))
  files.write_json(workdir.manifest, manifest)


def seconds(workdir: Workdir) -> float:
  """Returns the duration of a run: the sum over its sessions that ended."""
  sessions = _read_manifest(workdir)["sessions"]
  return sum(session.get("seconds", 0.0) for session in sessions)


def read_values(workdir: Workdir) -> dict[str, Any]:
  """Returns every field of the config that a run was made from, under today's names."""
  return upgrade.upgraded(_read_manifest(workdir)["config"])


def read_identity(workdir: Workdir) -> dict[str, Any]:
  """Returns the fields that decided the results of the run in a folder.

  Raises:
    UserError: there is no manifest, or the run was begun by an earlier version.
  """
  manifest = _read_manifest(workdir)
  _refuse_earlier_format(workdir, manifest)
  return manifest["identity"]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the values as JSON gives them back: tuples become lists."""
  return json.loads(json.dumps(dict(values)))


def _read_manifest(workdir: Workdir) -> dict[str, Any]:
  """Returns the manifest; before format 2 its list of pictures may be missing, and is then empty.

  Raises:
    UserError: it is missing, from a newer version, or not a manifest.
  """
  manifest = files.read_json(workdir.manifest)
  version = manifest.get("format") if isinstance(manifest, dict) else None
  if isinstance(version, int) and version > FORMAT:
    raise UserError(f"{workdir.manifest}: written by a newer version of this package")
  kinds = {"config": dict, "identity": dict, "sessions": list}
  if version == FORMAT:
    kinds["pictures"] = list
  known = version in range(1, FORMAT + 1)
  if not known or not all(isinstance(manifest.get(k), kinds[k]) for k in kinds):
    raise UserError(f"{workdir.manifest}: not a manifest of this package; --overwrite replaces it")
  return {"pictures": [], **manifest}


def _refuse_earlier_format(workdir: Workdir, manifest: Mapping[str, Any]) -> None:
  if manifest["format"] < FORMAT:
    raise UserError(
      f"{workdir.path}: begun by an earlier version of this package (format {manifest['format']}), "
      "whose runs cannot be continued; use another --workdir, or --overwrite; finished results "
      "still open and draw with python -m toy_superposition.report"
    )


def _steps(workdir: Workdir) -> Iterator[Path]:
  """Yields the folders of checkpoints, also of half-written ones."""
  for folder in workdir.path.glob("checkpoints/group_[0-9][0-9][0-9][0-9]/*"):
    if folder.is_dir() and re.fullmatch(r"\d+(\.orbax-checkpoint-tmp.*)?", folder.name):
      yield folder


def _pictures(workdir: Workdir) -> Iterator[Path]:
  """Yields the pictures of the run in a folder: those that its manifest lists. Without a list, as
  before format 2 or without a readable manifest, those with a name that format 1 gave."""
  try:
    manifest = _read_manifest(workdir)
  except UserError:
    manifest = {"format": 1, "pictures": []}
  for name in manifest["pictures"]:
    path = workdir.path / str(name)
    if path.parent == workdir.figures and path.is_file():  # whatever a damaged manifest says
      yield path
  if manifest["format"] == 1:
    yield from upgrade.format_1_pictures(workdir.figures)


def _delete_run(workdir: Workdir) -> None:
  """Deletes the files of an earlier run, and no others, also not in its own folders.

  First the pictures, which only the manifest names, then the manifest: files that remain after a
  crash in between are refused, and not taken for a complete run.
  """
  with files.disk_errors(workdir.path):
    for path in [*_pictures(workdir), workdir.manifest, workdir.metrics]:
      path.unlink(missing_ok=True)
    for path in (workdir.results, workdir.shard, workdir.report):
      path.unlink(missing_ok=True)
    for step in list(_steps(workdir)):
      shutil.rmtree(step)
    for pattern in OWN_FILES:
      for path in workdir.path.glob(pattern):
        path.unlink()
    for pattern in FOLDERS:
      for path in workdir.path.glob(pattern):
        if path.is_dir() and not any(path.iterdir()):
          path.rmdir()
