"""One writer per folder: an advisory lock of the operating system on the folder of a run.

The kernel releases it when its process ends, however it ends, so that no lock is ever left behind.
"""

import contextlib
import errno
import fcntl
import json
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from toy_superposition.errors import TransientError, UserError
from toy_superposition.records import files

NAME = ".lock"  # in the folder; holds the owner while it is locked, and is empty otherwise
# What a file system without locks answers.
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)
log = logging.getLogger(__name__)
_held: dict[Path, int] = {}  # folder → file descriptor of its lock, in this process


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
  """Holds the lock of a folder, which is made if it does not exist, during the block.

  On a file system without locks the block runs without one, which is said in one line.

  Raises:
    UserError: another process holds it, or the folder cannot be written.
  """
  path, folder = folder / NAME, folder.absolute()
  with files.disk_errors(folder):
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
  try:
    _lock(path, descriptor)
    owner = {"host": socket.gethostname(), "pid": os.getpid(), "since": files.now()}
    with files.disk_errors(path):
      _write(descriptor, json.dumps(owner) + "\n")
    _held[folder] = descriptor
    try:
      yield
    finally:
      del _held[folder]
      with contextlib.suppress(OSError):
        _write(descriptor, "")
  finally:
    os.close(descriptor)  # releases the lock


def check(folder: Path) -> None:
  """Checks that a folder whose lock this process holds is still the one that it locked.

  Raises:
    UserError: it was deleted, or replaced by another one.
  """
  descriptor = _held.get(folder.absolute())
  if descriptor is None:
    return
  try:
    same = os.path.samestat(os.stat(folder / NAME), os.fstat(descriptor))
  except FileNotFoundError:
    same = False
  if not same:
    raise UserError(f"{folder}: was deleted or replaced while this run was writing to it; stopped")


def _lock(path: Path, descriptor: int) -> None:
  try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError as error:
    raise TransientError(
      f"{path.parent}: in use by {_owner(path)}; wait for it, or stop it"
    ) from error
  except OSError as error:
    if error.errno not in WITHOUT_LOCKS:
      raise UserError(f"{path}: {error.strerror}") from error
    log.warning(
      "%s: its file system has no locks (%s); nothing keeps a second run out of this folder",
      *(path.parent, error.strerror),
    )


def _owner(path: Path) -> str:
  """Returns who holds a lock, in words."""
  try:
    owner = json.loads(path.read_text())
    return f"process {int(owner['pid'])} on {owner['host']!r} since {owner['since']!r}"
  except (OSError, ValueError, KeyError, TypeError):  # it has not written yet who it is
    return "another process"


def _write(descriptor: int, content: str) -> None:
  os.ftruncate(descriptor, 0)
  os.pwrite(descriptor, content.encode(), 0)
