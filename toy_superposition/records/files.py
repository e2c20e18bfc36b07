"""Files that are written whole or not at all, and disk errors in one line."""

import contextlib
import datetime
import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toy_superposition import text
from toy_superposition.errors import TransientError, UserError

# System errors after which the same command may succeed: of full disks and of network file systems.
TRANSIENT = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.ETIMEDOUT)


def one_line(error: BaseException) -> str:
  """Returns the first line of an exception's message, or its type if the message is empty.

  The message may quote a file, whose control characters are shown as escapes.
  """
  return text.visible(next(iter(str(error).strip().splitlines()), type(error).__name__))


def to_write(name: Path | str) -> Path:
  """Returns the path of a file that is to be written, with ~ replaced by the home folder.

  Raises:
    UserError: it is a URL, as s3://…
  """
  scheme, colon, _ = str(name).partition("://")
  if colon:
    raise UserError(
      f"{name}: allowed here: a file of a mounted file system; write one and copy it, for example "
      f"with fsspec.filesystem({scheme!r}).put (--workdir and ts.load also take URLs)"
    )
  return Path(name).expanduser()


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
  """Turns an OSError (full disk, no permission, not a directory …) into a UserError of one line.

  Raises:
    UserError: names the file and the system's reason.
  """
  try:
    yield
  except OSError as error:
    reason = error.strerror or one_line(error)
    kind = TransientError if error.errno in TRANSIENT else UserError
    raise kind(f"{error.filename or path}: {reason}") from error


def now() -> str:
  """Returns the time in UTC, ISO 8601."""
  return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def read_bytes(path: Path, limit: int) -> bytes:
  """Returns the content of a regular file, of at most `limit` bytes.

  A link is not followed: in a folder of somebody else it may lead to a file of one's own.

  Raises:
    UserError: it is a link, a device or a pipe, or larger.
    OSError: it is missing or cannot be read.
  """
  try:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
  except OSError as error:
    if error.errno == errno.ELOOP:
      raise UserError(f"{path}: is a link; allowed: the file itself") from error
    raise
  with open(descriptor, "rb") as file:
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
      raise UserError(f"{path}: is not a regular file")
    if about.st_size > limit:
      raise UserError(f"{path}: has {text.size(about.st_size)}; allowed: {text.size(limit)}")
    return file.read()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
  """Yields an empty temporary file beside `path`, renamed to `path` if the block succeeds.

  The new content is on disk before the rename, and the rename when the block has ended: after a
  power failure the file is the old one or the new one. No link is followed.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  temporary = path.with_name(f".{path.name}.tmp")
  with disk_errors(path):
    try:
      temporary.unlink(missing_ok=True)  # of a process that was killed, or a link
      os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666))
      yield temporary
      sync(temporary)
      os.replace(temporary, path)
      sync(path.parent)
    finally:
      temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
  """Waits until a file, or the names in a folder, are on disk."""
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)


def sync_tree(folder: Path) -> None:
  """Waits until a folder and all in it are on disk."""
  for parent, _, names in os.walk(folder):
    for name in names:
      sync(Path(parent) / name)
    sync(Path(parent))
  sync(folder.parent)


def append_line(path: Path, line: str, *, sync: bool) -> None:
  """Appends a line to a file, after the end of a last line that a crash has torn.

  Args:
    path: of the file, which is no link; made if it does not exist.
    line: without its end.
    sync: whether it is to be on disk when this returns.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
  with disk_errors(path), open(os.open(path, flags, 0o666), "ab") as file:
    size = file.seek(0, os.SEEK_END)
    torn = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
    file.write(("\n" * torn + line + "\n").encode())
    file.flush()
    if sync:
      os.fsync(file.fileno())


def write_bytes(path: Path, content: bytes) -> None:
  """Writes a file, whole or not at all.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  with replacing(path) as temporary:
    temporary.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
  """Writes JSON, whole or not at all.

  Raises:
    UserError: the disk is full or cannot be written.
    ValueError: the content holds NaN or infinity, which JSON has no number for.
  """
  with replacing(path) as temporary:
    temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
  """Returns the content of a JSON file.

  Raises:
    UserError: the file is missing or not JSON.
  """
  with disk_errors(path):
    try:
      return json.loads(path.read_text())
    except ValueError as error:
      raise UserError(f"{path}: not valid JSON ({error})") from error
