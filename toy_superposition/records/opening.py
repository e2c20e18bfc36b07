"""Who may write into the folder of a run: a new run, the run that was begun there, or nobody."""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from toy_superposition.errors import UserError
from toy_superposition.records import files, journal, lock, overwriting, versions
from toy_superposition.records.journal import Journal
from toy_superposition.records.workdir import (
  FIXED,
  FORMAT,
  Workdir,
  own_files,
  plain,
  refuse_earlier_format,
  stored_manifest,
  training_fields,
  training_hash,
)


@contextlib.contextmanager
def session(
  path: Path,
  values: Mapping[str, Any],
  identity: Mapping[str, Any],
  *,
  overwrite: bool,
  command: Sequence[str],
  devices: Sequence[str],
  options: Mapping[str, Any] | None = None,
) -> Iterator[Workdir]:
  """Yields the workdir of a new or continued run, locked until the block ends.

  The arguments and errors are those of `open_workdir`.

  Raises:
    UserError: another process is writing into the folder.
  """
  _examine(Workdir(path), identity, overwrite)  # a folder that is refused is left as it is
  with lock.held(path):
    started = time.perf_counter()
    workdir = open_workdir(
      path,
      values,
      identity,
      overwrite=overwrite,
      command=command,
      devices=devices,
      options=options,
    )
    try:
      yield workdir
    except BaseException:
      with contextlib.suppress(UserError):  # the error that ended the run is the one to report
        close_session(workdir, time.perf_counter() - started)
      raise
    close_session(workdir, time.perf_counter() - started)


def open_workdir(
  path: Path,
  values: Mapping[str, Any],
  identity: Mapping[str, Any],
  *,
  overwrite: bool,
  command: Sequence[str],
  devices: Sequence[str],
  options: Mapping[str, Any] | None = None,
) -> Workdir:
  """Returns the workdir of a new or continued run, with a session added to its journal.

  Args:
    path: the folder; made if it does not exist.
    values: every field of the config.
    identity: the fields that must be equal for a run to be continued.
    overwrite: delete the files of an earlier run first, and no others. An unfinished run of the
      same identity and versions is continued instead, since it would end with the same results: a
      command that a scheduler starts again goes on where it was.
    command: as given by the user.
    devices: names of the devices that the session runs on.
    options: of JAX and XLA that are not at their defaults.

  Raises:
    UserError: the folder holds a run of another config or of an earlier version, or files that this
      package would write and did not write; or it cannot be written.
  """
  workdir = Workdir(path)
  continued = _examine(workdir, identity, overwrite)
  with files.disk_errors(path):
    path.mkdir(parents=True, exist_ok=True)
  if not continued:
    overwriting.delete(path, own_files(workdir), FIXED)
  manifest = {"format": FORMAT, "config": plain(values), "identity": plain(identity)}
  if workdir.journal.run is None:  # before all other files, which it says are the run's
    workdir.journal.append(run=training_hash(identity), files=list(FIXED))
  stored = stored_manifest(workdir)
  if stored is None or stored["identity"] != manifest["identity"]:
    files.write_json(workdir.manifest, manifest)
  about: dict[str, Any] = {"started": files.now(), "command": list(command)}
  about |= {"devices": list(devices), "options": dict(options or {}), **versions.made_by()}
  about["execution"] = {k: v for k, v in plain(values).items() if k.startswith("run.")}
  workdir.journal.append(session=about)
  return workdir


def close_session(workdir: Workdir, seconds: float) -> None:
  """Adds the end of the present session and its duration to the journal."""
  lock.check(workdir.path)
  workdir.journal.append(ended=files.now(), seconds=round(seconds, 1))


def add_files(workdir: Workdir, paths: Iterable[Path], *, written: bool = False) -> None:
  """Lists files as the run's, which --overwrite deletes.

  To be called before they are written; or after it, if their names could not be known before.

  Raises:
    UserError: one of them exists and is somebody else's, or the folder was deleted.
  """
  lock.check(workdir.path)
  names = {path.relative_to(workdir.path).as_posix() for path in paths}
  workdir.journal.add_files(names - own_files(workdir), written=written)


def holds(path: Path, identity: Mapping[str, Any]) -> bool:
  """Returns whether a folder has a run of that identity, finished or not.

  Raises:
    UserError: the folder cannot be read, or is from a newer version.
  """
  manifest = stored_manifest(Workdir(path))
  known = manifest is not None and manifest["format"] == FORMAT
  return manifest is not None and known and manifest["identity"] == plain(identity)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
  """Returns "field old → new" for each field that differs, with "(absent)" for a missing one."""
  names = sorted(old.keys() | new.keys())
  absent = "(absent)"
  rows = [(name, old.get(name, absent), new.get(name, absent)) for name in names]
  return [f"{name} {a!r} → {b!r}" for name, a, b in rows if a != b]


def _examine(workdir: Workdir, identity: Mapping[str, Any], overwrite: bool) -> bool:
  """Returns whether the run in a folder is to be continued; otherwise a new one begins.

  Raises:
    UserError: neither may happen in this folder.
  """
  path, known = workdir.path, workdir.journal
  overwriting.refuse_links(path)
  manifest = stored_manifest(workdir)
  if manifest is None and known.run is None:
    if foreign := _first_of_a_run(workdir):
      raise UserError(
        f"{foreign}: there is no manifest.json that says which run wrote it; use another "
        "--workdir, or move it away"
      )
    return False
  if manifest and manifest["format"] < FORMAT and not overwrite:
    refuse_earlier_format(workdir, manifest)
  different = _differences(workdir, manifest, identity)
  if different and not overwrite:
    raise UserError(
      f"{path}: holds a run of another config ({different}); "
      "use another --workdir, or --overwrite to replace it"
    )
  if overwrite:
    return not (different or _is_finished(workdir)) and _same_versions(known)
  return True


def _differences(
  workdir: Workdir, manifest: Mapping[str, Any] | None, identity: Mapping[str, Any]
) -> str:
  """Returns in which fields the run in a folder differs from another one, "" in none."""
  run, wanted = workdir.journal.run, plain(identity)
  if manifest is None:  # damaged: what is left is the run's hash
    return "" if run == training_hash(identity) else "its manifest.json is missing or damaged"
  stored = manifest["identity"]
  same_training = training_fields(stored) == training_fields(wanted)
  # Trained models may be scored in another way as long as they are not.
  if stored != wanted and (_is_finished(workdir) or not same_training):
    return "; ".join(differences(stored, wanted))
  same_run = manifest["format"] == FORMAT and run in (None, training_hash(identity))
  return "" if same_run else f"its {journal.NAME} is of another run than its manifest.json"


def _is_finished(workdir: Workdir) -> bool:
  return workdir.results.exists() or workdir.shard.exists()


def _same_versions(known: Journal) -> bool:
  """Returns whether the last session of a journal was of today's versions and commit."""
  made_by = plain(versions.made_by())
  return bool(known.sessions) and all(known.sessions[-1].get(k) == made_by[k] for k in made_by)


def _first_of_a_run(workdir: Workdir) -> Path | None:
  """Returns a file that a run may write, if the folder holds any."""
  names = [*FIXED, *overwriting.files_before_format_3(workdir.path)]
  paths = [workdir.path / name for name in names]
  return next((path for path in paths if path.exists() or path.is_symlink()), None)
