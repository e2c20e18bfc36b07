"""The folder of one run: what lies where, whose it is, and what it was made from."""

import datetime
import importlib.metadata
import json
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from toy_superposition.drawing import style
from toy_superposition.errors import UserError
from toy_superposition.experiments import FIGURES
from toy_superposition.records import files

PACKAGES = ("toy_superposition", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
FOLDERS = (
  *("checkpoints/group_*", "checkpoints", "history/group_*", "history"),
  *("figures", "tensorboard/*", "tensorboard"),
  *("profile/plugins/profile/*", "profile/plugins/profile", "profile/plugins", "profile"),
)
# Files whose names nobody else gives, beside those that have a rule of their own.
OURS = (
  *("tensorboard/group_*/events.out.tfevents.*", "tensorboard/figures/events.out.tfevents.*"),
  *("history/group_*/step_*.npz", "profile/plugins/profile/*/*.xplane.pb"),
  "profile/plugins/profile/*/*.trace.json.gz",
)
FORMAT = 1  # of the folder; a higher one is from a newer version of this package


class Workdir(NamedTuple):
  """Paths within the folder of one run."""

  path: Path

  @property
  def manifest(self) -> Path:
    """What is run: config, versions, devices, command, times."""
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
    """In the place of results, in the folder of a part of an experiment (shards.py)."""
    return self.path / "shard.nc"

  @property
  def figures(self) -> Path:
    """Drawn from the results; may be deleted."""
    return self.path / "figures"

  @property
  def report(self) -> Path:
    """The run as one page; may be deleted."""
    return self.path / "report.html"

  @property
  def tensorboard(self) -> Path:
    """Event files, if asked for."""
    return self.path / "tensorboard"

  @property
  def profile(self) -> Path:
    """A trace of some steps, if asked for."""
    return self.path / "profile"

  def checkpoints(self, group: int) -> Path:
    """Train states of one group."""
    return self.path / "checkpoints" / f"group_{group:04d}"

  def history(self, group: int) -> Path:
    """Parameters of one group at chosen steps."""
    return self.path / "history" / f"group_{group:04d}"


def versions() -> dict[str, str]:
  """Returns the versions that results may depend on."""
  found = {"python": platform.python_version()}
  for package in PACKAGES:
    try:
      found[package] = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
      found[package] = "not installed"
  return found


def _commit() -> str | None:
  """Returns the commit of the source tree, marked if it was changed; None outside of one."""
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
  """Returns one "field old → new" for each field that differs; absent fields read as such."""
  fields = sorted(old.keys() | new.keys())
  absent = "(absent)"
  pairs = [(field, old.get(field, absent), new.get(field, absent)) for field in fields]
  return [f"{field} {a!r} → {b!r}" for field, a, b in pairs if a != b]


def open_workdir(
  path: Path,
  values: Mapping[str, Any],
  identity: Mapping[str, Any],
  *,
  overwrite: bool,
  command: Sequence[str],
  devices: Sequence[str],
) -> Workdir:
  """Returns the workdir, made or taken up again, its manifest written.

  Args:
    path: the folder; made if it does not exist.
    values: every field of the config.
    identity: the fields that must be equal for a run to be continued.
    overwrite: delete this package's files of an earlier run first, and no others.
    command: as given by the user.
    devices: what it runs on.

  Raises:
    UserError: the folder holds a run of another config, or files of one without its manifest,
      or cannot be written.
  """
  workdir = Workdir(path)
  with files.disk_errors(path):
    path.mkdir(parents=True, exist_ok=True)
  sessions: list[dict[str, Any]] = []
  if overwrite:
    _delete_ours(workdir)
  if workdir.manifest.exists():
    manifest = _read_manifest(workdir)
    different = differences(manifest["identity"], _plain(identity))
    if different:
      raise UserError(
        f"{path}: holds a run of another config ({'; '.join(different)}); "
        "use another --workdir, or --overwrite to replace it"
      )
    sessions = manifest["sessions"]
  elif any(p.exists() for p in (workdir.results, workdir.shard, workdir.metrics)) or any(
    _steps(workdir)
  ):
    raise UserError(
      f"{path}: holds results, metrics or checkpoints but no manifest.json to say of what; "
      "use another --workdir, or --overwrite to delete them"
    )
  session: dict[str, Any] = {"started": now(), "command": list(command), "devices": list(devices)}
  session |= {"versions": versions(), "commit": _commit()}
  manifest = {
    "format": FORMAT,
    "config": _plain(values),
    "identity": _plain(identity),
    "sessions": [*sessions, session],
  }
  files.write_json(workdir.manifest, manifest)
  return workdir


def close_session(workdir: Workdir, seconds: float) -> None:
  """Adds to the manifest when the present session ended and how long it took."""
  manifest = files.read_json(workdir.manifest)
  manifest["sessions"][-1] |= {"ended": now(), "seconds": round(seconds, 1)}
  files.write_json(workdir.manifest, manifest)


def seconds(workdir: Workdir) -> float:
  """Returns how long a run has taken, all its sessions that ended together."""
  sessions = _read_manifest(workdir)["sessions"]
  return sum(session.get("seconds", 0.0) for session in sessions)


def read_values(workdir: Workdir) -> dict[str, Any]:
  """Returns every field of the config that a run was made from."""
  return _read_manifest(workdir)["config"]


def read_identity(workdir: Workdir) -> dict[str, Any]:
  """Returns the fields that decided the results of the run in a folder."""
  return _read_manifest(workdir)["identity"]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
  """Returns what JSON makes of the values: tuples become lists."""
  return json.loads(json.dumps(dict(values)))


def _read_manifest(workdir: Workdir) -> dict[str, Any]:
  """Returns the manifest.

  Raises:
    UserError: it is missing, from a newer version, or not a manifest.
  """
  manifest = files.read_json(workdir.manifest)
  version = manifest.get("format") if isinstance(manifest, dict) else None
  if isinstance(version, int) and version > FORMAT:
    raise UserError(f"{workdir.manifest}: written by a newer version of this package")
  kinds = {"config": dict, "identity": dict, "sessions": list}
  if version != FORMAT or not all(isinstance(manifest.get(k), kinds[k]) for k in kinds):
    raise UserError(f"{workdir.manifest}: not a manifest of this package; --overwrite replaces it")
  return manifest


def _steps(workdir: Workdir) -> Iterator[Path]:
  """Yields the folders of checkpoints, whole or half-written."""
  for folder in workdir.path.glob("checkpoints/group_[0-9][0-9][0-9][0-9]/*"):
    if folder.is_dir() and re.fullmatch(r"\d+(\.orbax-checkpoint-tmp.*)?", folder.name):
      yield folder


def _delete_ours(workdir: Workdir) -> None:
  """Deletes the files of an earlier run, the manifest first: what remains after a crash in
  between is refused, not taken for whole. Files of others stay, also in our folders."""
  with files.disk_errors(workdir.path):
    for path in (
      *(workdir.manifest, workdir.metrics, workdir.results, workdir.shard),
      workdir.report,
    ):
      path.unlink(missing_ok=True)
    for step in list(_steps(workdir)):
      shutil.rmtree(step)
    for path in workdir.path.glob("figures/*"):
      if path.suffix.lstrip(".") in style.FORMATS and _is_ours(path.stem):
        path.unlink()
    for pattern in OURS:
      for path in workdir.path.glob(pattern):
        path.unlink()
    for folder in FOLDERS:
      for path in workdir.path.glob(folder):
        if path.is_dir() and not any(path.iterdir()):
          path.rmdir()


def _is_ours(stem: str) -> bool:
  """Whether a figure has a name that `experiment.draw` gives, such as phase_diagram_n=5."""
  return any(stem == name or (stem.startswith(f"{name}_") and "=" in stem) for name in FIGURES)
