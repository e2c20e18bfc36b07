"""The folder of one run: its paths, its manifest and journal.

records/README.md documents the folder for its readers.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from toy_superposition.errors import UserError
from toy_superposition.records import files, journal, overwriting, schema, upgrade
from toy_superposition.records.journal import Journal

# Format of the folder. Runs of an earlier one can be read, but not continued: config fields, random
# numbers or what files say of themselves have changed. A later one is from a newer version of this
# package.
FORMAT = 4
CHECKSUMS = 3  # since this format runs have journals, and their files checksums and hashes
# Fields of the config that decide what is said of trained models, and nothing before that.
SCORING = ("evaluation.", "measures", "experiment")


class Workdir(NamedTuple):
  """Paths within the folder of one run."""

  path: Path

  @property
  def manifest(self) -> Path:
    """Config and identity of the run; written once."""
    return self.path / "manifest.json"

  @property
  def journal(self) -> Journal:
    """Sessions of the run and the files that it wrote, as they are on disk now."""
    return Journal(self.path)

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


# The files that a run may write at the top of its folder, but for the lock; those that say what the
# others are come last.
FIXED = ("results.nc", "shard.nc", "metrics.jsonl", "report.html", "manifest.json", journal.NAME)


def path_of(text: str | None, example: str = "runs/phase_change") -> Path:
  """Returns the folder that --workdir names, with ~ replaced by the home folder.

  Raises:
    UserError: it is missing or empty, or holds a control character.
  """
  if text is None:
    raise UserError(f"--workdir is missing; for example --workdir={example}")
  if not text.strip() or not text.isprintable():
    raise UserError(f"--workdir={text!r}: allowed: the name of a folder")
  try:
    return Path(text).expanduser()
  except RuntimeError as error:  # ~ of an unknown user
    raise UserError(f"--workdir={text}: {error}") from error


def identity_hash(identity: Mapping[str, Any]) -> str:
  """Returns what a run's results carry as its name: a hash of the fields that decide them."""
  return hashlib.sha256(json.dumps(plain(identity), sort_keys=True).encode()).hexdigest()


def training_hash(identity: Mapping[str, Any]) -> str:
  """Returns what a run's checkpoints and history carry as its name: a hash of the fields that
  decide them. Models that were trained but not yet scored may be scored in another way."""
  return identity_hash(training_fields(identity))


def training_fields(identity: Mapping[str, Any]) -> dict[str, Any]:
  """Returns those fields of an identity that decide the trained models."""
  return {k: v for k, v in identity.items() if not k.startswith(SCORING)}


def sessions(workdir: Workdir) -> list[dict[str, Any]]:
  """Returns the sessions of a run in order of time: when, how long, by which command, on what."""
  earlier = (stored_manifest(workdir) or {}).get("sessions", [])
  return [*map(journal.session, earlier), *workdir.journal.sessions]


def pictures(workdir: Workdir) -> list[Path]:
  """Returns the pictures that a run drew and that are still there."""
  paths = (workdir.path / name for name in sorted(own_files(workdir)))
  return [p for p in paths if p.parent == workdir.figures and p.is_file() and not p.is_symlink()]


def seconds(workdir: Workdir) -> float:
  """Returns the duration of a run: the sum over its sessions that ended."""
  return sum(session.get("seconds", 0.0) for session in sessions(workdir))


def read_values(workdir: Workdir) -> dict[str, Any]:
  """Returns every field of the config that a run was made from, under today's names.

  Execution settings are those of the last session.

  Raises:
    UserError: there is no manifest, or its config is not one that this package stores.
  """
  values = read_manifest(workdir)["config"]
  for session in workdir.journal.sessions[-1:]:
    values = values | session["execution"]
  try:
    return schema.config_fields(values)
  except UserError as error:
    raise UserError(f"{workdir.manifest}: not of this package, or damaged ({error})") from error


def read_identity(workdir: Workdir) -> dict[str, Any]:
  """Returns the fields that decided the results of the run in a folder.

  Raises:
    UserError: there is no manifest, or the run was begun by an earlier version.
  """
  manifest = read_manifest(workdir)
  refuse_earlier_format(workdir, manifest)
  return manifest["identity"]


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the values as JSON gives them back: tuples become lists."""
  return json.loads(json.dumps(dict(values)))


def own_files(workdir: Workdir) -> set[str]:
  """Returns the files of the run in a folder, relative to it.

  They are those that the journal lists. A run that was begun before there were journals, or has
  lost its own, has the files that such a run may have.
  """
  known, manifest = workdir.journal, stored_manifest(workdir)
  names = set(known.files)
  if manifest and (known.run is None or manifest["format"] < CHECKSUMS):
    names |= {*FIXED, *overwriting.files_before_format_3(workdir.path)}
    names |= {str(name) for name in manifest.get("pictures", ()) if _is_picture(str(name))}
  if manifest and manifest["format"] == 1:
    found = upgrade.format_1_pictures(workdir.figures)
    names |= {path.relative_to(workdir.path).as_posix() for path in found}
  return names


def _is_picture(name: str) -> bool:
  return Path(name).parent == Path("figures")


def stored_manifest(workdir: Workdir) -> dict[str, Any] | None:
  """Returns the manifest, None if it is missing, damaged or somebody else's.

  Raises:
    UserError: it is from a newer version, or cannot be read although it is there.
  """
  with files.disk_errors(workdir.manifest):
    try:
      manifest = json.loads(files.read_bytes(workdir.manifest, journal.MAX_BYTES))
    except (FileNotFoundError, ValueError, RecursionError):
      return None
  version = manifest.get("format") if isinstance(manifest, dict) else None
  if isinstance(version, int) and version > FORMAT:
    raise UserError(f"{workdir.manifest}: written by a newer version of this package")
  kinds: dict[str, type] = {"config": dict, "identity": dict}
  kinds |= {"sessions": list} if version in (1, 2) else {}
  kinds |= {"pictures": list} if version == 2 else {}
  known = version in range(1, FORMAT + 1)
  return manifest if known and all(isinstance(manifest.get(k), kinds[k]) for k in kinds) else None


def read_manifest(workdir: Workdir) -> dict[str, Any]:
  """Returns the manifest.

  Raises:
    UserError: it is missing, from a newer version, or not a manifest.
  """
  manifest = stored_manifest(workdir)
  if manifest is None:
    with files.disk_errors(workdir.manifest):
      workdir.manifest.stat()
    raise UserError(f"{workdir.manifest}: damaged, or not a manifest of this package")
  return manifest


def refuse_earlier_format(workdir: Workdir, manifest: Mapping[str, Any]) -> None:
  """Checks that the run in a folder was begun by a version whose runs can be continued.

  Raises:
    UserError: it was not.
  """
  if manifest["format"] < FORMAT:
    raise UserError(
      f"{workdir.path}: begun by an earlier version of this package (format {manifest['format']}), "
      "whose runs cannot be continued; use another --workdir, or --overwrite; finished results "
      "still open and draw with python -m toy_superposition.report"
    )
