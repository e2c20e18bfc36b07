"""Folders in object storage, such as gs://bucket/run: a run works in a local copy of them, and
results are read from one.

A run's folder needs a lock, renames and appended lines, none of which object storage has. What has
changed is sent after every checkpoint and at the end, in an order in which a run that is killed in
between can be continued: the journal, which says what the other files are, before them, and results
after them.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from toy_superposition.errors import TransientError, UserError
from toy_superposition.records import files, journal, lock
from toy_superposition.records.workdir import path_of

FIRST = ("manifest.json", journal.NAME)
RESULTS = (*FIRST, "results.nc")  # from which results are read
WORKING = {"checkpoints", "history", "profile"}  # folders that only training needs
LAST = ("shard.nc", "results.nc")  # whose presence says that a run is finished
FLAG = "--workdir="
PREFIX = "toy_superposition-"  # of temporary folders
log = logging.getLogger(__name__)
_open: list["_Copy"] = []  # in this process


def is_remote(text: str | None) -> bool:
  """Returns whether --workdir names a folder of object storage, as gs://…"""
  return "://" in (text or "")


def check(text: str) -> None:
  """Raises UserError, before anything else is done, for what --workdir may not be."""
  if is_remote(text):
    _file_system(text)
  else:
    path_of(text)


def of_finished(name: str) -> bool:
  """Returns whether a file, by its name relative to a run's folder, is of use without training."""
  return not WORKING & {*PurePosixPath(name).parts}


@contextlib.contextmanager
def reading(
  text: Path | str, wanted: Callable[[str], bool] = RESULTS.__contains__
) -> Iterator[Path]:
  """Yields a local folder with the files of a run: itself, or a copy that is dropped.

  Nothing is written to a remote folder, and nothing of it is kept here: what is read is what is
  there now.

  Args:
    text: a folder, or a URL of one.
    wanted: which of the files of a URL, by their names relative to it, are copied here.

  Raises:
    UserError: there is no package for the URL's scheme, or its folder cannot be read.
  """
  if not is_remote(str(text)):
    yield Path(text).expanduser()
    return
  with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
    copy = _Copy(str(text), Path(folder), named="")
    copy.receive(wanted)
    try:
      yield copy.folder
    except UserError as error:
      raise type(error)(str(error).replace(folder, copy.url)) from error


@contextlib.contextmanager
def opened(
  text: str | None,
  wanted: Callable[[str], bool] = lambda name: True,
  *,
  example: str = "runs/phase_change",
) -> Iterator[Path]:
  """Yields a local folder for what --workdir names: itself, or a copy that is sent back.

  Args:
    text: a folder, or a URL of one.
    wanted: which of the files of a URL, by their names relative to it, are copied here.
    example: of a folder, for the error if it is missing.

  Raises:
    UserError: as `path_of`; there is no package for the URL's scheme; or its folder cannot be read
      or written, or was written by another run since.
  """
  if text is None or not is_remote(text):
    yield path_of(text, example)
    return
  folder = Path(tempfile.mkdtemp(prefix=PREFIX))
  try:
    copy = _Copy(text, folder)
    copy.receive(wanted)
    copy.claim()
    _open.append(copy)
    try:
      yield folder
    except UserError as error:
      with contextlib.suppress(UserError):  # the error that ended the run is the one to report
        copy.send()
      raise type(error)(shown(str(error))) from error
    except BaseException:
      with contextlib.suppress(UserError):
        copy.send()
      raise
    else:
      copy.send()
    finally:
      copy.release()
      _open.remove(copy)
  finally:
    shutil.rmtree(folder, ignore_errors=True)


def send(folder: Path) -> None:
  """Sends what has changed, if a folder lies in the copy of a remote one.

  Raises:
    UserError: it cannot be written, or was written by another run.
  """
  for copy in _open:
    if folder.is_relative_to(copy.folder):
      copy.send()


def receive(folder: Path) -> None:
  """Copies here what another process has written to a folder of a remote one, if it lies in one.

  Checkpoints and history are left out.

  Raises:
    UserError: it cannot be read.
  """
  for copy in _open:
    if folder.is_relative_to(copy.folder):
      copy.receive(of_finished, folder.relative_to(copy.folder).as_posix())


def shown(text: object) -> str:
  """Returns a text with the names of remote folders in the place of their copies'."""
  words = str(text)
  for copy in _open:
    words = words.replace(str(copy.folder), copy.url)
  return words


class _Copy:
  """A remote folder and its local copy."""

  def __init__(self, url: str, folder: Path, named: str = FLAG):
    self.url, self.folder = url.rstrip("/"), folder
    self._system, self._root = _file_system(self.url, named)
    self._sent: dict[str, tuple[int, int]] = {}  # name → size and time of change, as last sent
    self._journals: dict[str, str] = {}  # name → hash of the content, as last sent or received

  def receive(self, wanted: Callable[[str], bool], below: str = "") -> None:
    """Copies the remote files, or those below one of its folders, here."""
    top = f"{self._root}/{below}".rstrip("/")
    with self._errors():
      self._system.invalidate_cache()  # of listings, which another process has changed
      found = self._system.find(top) if self._system.exists(top) else []
      for path in found:
        name = path.removeprefix(self._root).lstrip("/")
        if not wanted(name) or PurePosixPath(name).name == lock.NAME:
          continue
        if ".." in PurePosixPath(name).parts:
          raise UserError(f"{self.url}: holds a file whose name leads out of it: {name!r}")
        local = self.folder / name
        local.parent.mkdir(parents=True, exist_ok=True)
        self._system.get_file(path, str(local))
        self._note(name)

  def claim(self) -> None:
    """Writes who uses the folder, which is no lock; and so finds out whether it can be written."""
    path = f"{self._root}/{lock.NAME}"
    owner = {"host": socket.gethostname(), "pid": os.getpid(), "since": files.now()}
    with self._errors():
      if self._system.exists(path):
        theirs = files.one_line(Exception(self._system.cat_file(path).decode(errors="replace")))
        log.warning(
          "%s: perhaps in use by %s; object storage has no locks, and a run that was killed leaves "
          "this behind",
          *(self.url, theirs[:200]),
        )
      self._system.makedirs(self._root, exist_ok=True)
      self._system.pipe_file(path, json.dumps(owner).encode())

  def release(self) -> None:
    """Removes what `claim` wrote."""
    with contextlib.suppress(Exception):
      self._system.rm_file(f"{self._root}/{lock.NAME}")

  def send(self) -> None:
    """Writes what has changed to the remote folder, and removes there what is gone here."""
    names = {
      path.relative_to(self.folder).as_posix(): path
      for path in self.folder.rglob("*")
      if path.is_file() and not path.is_symlink() and path.name != lock.NAME
    }
    with self._errors():
      for name in sorted(names, key=_order):
        if self._sent.get(name) == _state(names[name]):
          continue
        if Path(name).name == journal.NAME:
          self._check_ours(name)
        remote = f"{self._root}/{name}"
        self._system.makedirs(os.path.dirname(remote), exist_ok=True)
        state = _state(names[name])
        self._system.put_file(str(names[name]), remote)
        self._note(name, state)
      for name in self._sent.keys() - names.keys():
        with contextlib.suppress(FileNotFoundError):
          self._system.rm_file(f"{self._root}/{name}")
        del self._sent[name]

  def _note(self, name: str, state: tuple[int, int] | None = None) -> None:
    local = self.folder / name
    self._sent[name] = state or _state(local)
    if local.name == journal.NAME:
      self._journals[name] = hashlib.sha256(local.read_bytes()).hexdigest()

  def _check_ours(self, name: str) -> None:
    """Raises UserError if the remote journal is not what this process last saw there."""
    path = f"{self._root}/{name}"
    there = self._system.cat_file(path) if self._system.exists(path) else None
    if (hashlib.sha256(there).hexdigest() if there is not None else None) != self._journals.get(
      name
    ):
      raise TransientError(
        f"{self.url}: was written by another run while this one used it; stopped"
      )

  @contextlib.contextmanager
  def _errors(self) -> Iterator[None]:
    """Turns whatever a file system raises into a UserError of one line."""
    try:
      yield
    except UserError:
      raise
    except Exception as error:
      reason = f"{type(error).__name__}: {files.one_line(error)}"
      raise TransientError(f"{self.url}: not reached or not written ({reason})") from error


def _file_system(url: str, named: str = FLAG) -> tuple[Any, str]:
  """Returns the file system of a URL, and the folder's path in it; `named` is for errors.

  Raises:
    UserError: there is no package for its scheme.
  """
  scheme = url.partition("://")[0]
  mounted = f"a folder of a mounted file system (for {scheme}://, for example with a FUSE driver)"
  try:
    import fsspec

    system, root = fsspec.core.url_to_fs(url)
  except (ImportError, ValueError) as error:
    raise UserError(
      f"{named}{url}: {scheme}:// needs a package of fsspec's that is not here "
      f"({files.one_line(error)}); allowed without it: {mounted}"
    ) from error
  except Exception as error:  # such as missing credentials
    raise UserError(f"{named}{url}: {files.one_line(error)}") from error
  if not str(root).strip("/"):
    raise UserError(f"{named}{url}: allowed: a folder, such as {scheme}://bucket/run")
  return system, str(root).rstrip("/")


def _order(name: str) -> tuple[int, str]:
  """Returns the place of a file among those that are sent."""
  last = Path(name).name
  return (0 if last in FIRST else 2 if last in LAST else 1), name


def _state(path: Path) -> tuple[int, int]:
  about = path.stat()
  return about.st_size, about.st_mtime_ns
