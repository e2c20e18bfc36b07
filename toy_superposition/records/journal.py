"""journal.jsonl: what happened in the folder of a run, one JSON object per line.

Lines are only ever appended. The first one names the run. Then come sessions, their ends, and,
before they are written, the names of the files that this package writes: --overwrite deletes these
and no others.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from toy_superposition.errors import UserError
from toy_superposition.records import files

NAME = "journal.jsonl"
MAX_BYTES = 2**26  # of a journal or a manifest that is read
# Entry of a session → its kind.
SESSION: dict[str, type] = {
  "started": str,
  "ended": str,
  "seconds": float,
  "commit": str,
  "command": list,
  "devices": list,
  "versions": dict,
  "options": dict,
  "execution": dict,
}


class Journal:
  """The journal of one folder; what it holds is read when it is made."""

  def __init__(self, folder: Path):
    """Reads the journal, if any. Lines torn by a crash are skipped.

    Raises:
      UserError: it cannot be read.
    """
    self._folder, self._path = folder, folder / NAME
    self.run: str | None = None  # the run's hash, see workdir.identity_hash
    self.sessions: list[dict[str, Any]] = []
    self.files: set[str] = set()  # relative to the folder; folders stand for all that is in them
    if self._path.is_symlink() or not self._path.exists():
      return
    with files.disk_errors(self._path):
      lines = files.read_bytes(self._path, MAX_BYTES).decode(errors="replace").splitlines()
    for line in lines:
      try:
        self._take(json.loads(line))
      except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        continue

  def _take(self, event: dict[str, Any]) -> None:
    """Adds an event to what the journal holds."""
    self.run = event.get("run", self.run)
    self.files.update(str(name) for name in event.get("files", ()))
    if "session" in event:
      self.sessions.append(session(event["session"]))
    if "ended" in event and self.sessions:
      end = {"ended": event["ended"], "seconds": event["seconds"]}
      self.sessions[-1] = session(self.sessions[-1] | end)

  def append(self, **event: Any) -> None:
    """Adds an event; it is on disk when this returns.

    Raises:
      UserError: the disk is full or cannot be written.
    """
    files.append_line(self._path, json.dumps(event, allow_nan=False), sync=True)
    self._take(event)

  def add_files(self, names: Iterable[str], *, written: bool = False) -> None:
    """Lists files before they are written.

    Args:
      names: relative to the folder.
      written: whether they just were: their names could not be known before.

    Raises:
      UserError: a file of that name exists and is not listed, so it is somebody else's; or the
        journal cannot be written.
    """
    new = sorted(set(names) - self.files)
    for name in new if not written else ():
      path = self._folder / name
      if path.exists() or path.is_symlink():
        raise UserError(f"{path}: not written by this run; move it away and try again")
    if new:
      self.append(files=new)


def session(stored: Any) -> dict[str, Any]:
  """Returns a stored session with its lists and dicts, perhaps empty, and entries of the right
  kinds; of a folder that is somebody else's it may be anything."""
  entries = stored if isinstance(stored, dict) else {}
  kept: dict[str, Any] = {k: kind() for k, kind in SESSION.items() if kind in (list, dict)}
  for name, kind in SESSION.items():
    value = entries.get(name)
    if kind is float and isinstance(value, int | float) and abs(value) < 1e12:
      kept[name] = float(value)
    elif kind is list and isinstance(value, list):
      kept[name] = [item for item in value if isinstance(item, str)]
    elif isinstance(value, kind):
      kept[name] = value
  return kept
