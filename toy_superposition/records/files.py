"""Files that are written whole or not at all, and disk errors in one line."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toy_superposition.errors import UserError


def one_line(error: BaseException) -> str:
  """Returns the first line of an exception's message, or its type if the message is empty."""
  return next(iter(str(error).strip().splitlines()), type(error).__name__)


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
    raise UserError(f"{error.filename or path}: {reason}") from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
  """Yields a temporary path beside `path`, renamed to `path` if the block succeeds.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  temporary = path.with_name(f".{path.name}.tmp")
  with disk_errors(path):
    try:
      yield temporary
      os.replace(temporary, path)
    finally:
      temporary.unlink(missing_ok=True)


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
