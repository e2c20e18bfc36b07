"""Repair of jax's cache of compiled programs: a damaged entry is deleted, and made anew.

Jax compiles a program whose entry it cannot read, but does not replace the entry. Its warning comes
before the program is compiled, so an entry that is deleted there is written again by the same run.
"""

import contextlib
import logging
import re
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

log = logging.getLogger(__name__)
UNREADABLE = re.compile(r"Error reading persistent compilation cache entry for '(.*?)': (.*)", re.S)
SUFFIX = "-cache"  # of an entry's file
ZSTANDARD = bytes.fromhex("28b52ffd")  # with which its files begin; without it jax uses zlib


def repair() -> None:
  """Repairs, from now on, entries that jax cannot read; each is one line in the log."""
  shown = warnings.showwarning

  def show(message: Any, *arguments: Any, **keywords: Any) -> None:
    if found := UNREADABLE.match(str(message)):
      _repair(*found.groups())
    else:
      shown(message, *arguments, **keywords)

  warnings.filterwarnings("always", message=UNREADABLE.pattern.split("'")[0])
  warnings.showwarning = show


@contextlib.contextmanager
def repaired() -> Iterator[None]:
  """Does what `repair` does, within the block only."""
  with warnings.catch_warnings():
    repair()
    yield


def _repair(program: str, reason: str) -> None:
  """Deletes the damaged entries of a program; the name is shared by the variants of a program."""
  folder = Path(jax.config.values["jax_compilation_cache_dir"] or "")
  entries = sorted(folder.glob(f"{program}-*{SUFFIX}"))
  damaged = [path for path in entries if _is_damaged(path)]
  what = f"compilation cache {folder}: an entry of {program}"
  try:
    for path in damaged or entries:  # what a whole file holds may be damaged as well
      path.unlink(missing_ok=True)
  except OSError as error:
    log.warning("%s cannot be read, nor replaced (%s); compiling it again", what, error.strerror)
  else:
    log.warning("%s is damaged and is made again (%s)", what, " ".join(reason.split()))


def _is_damaged(path: Path) -> bool:
  """Returns whether a file cannot be unpacked; False where that cannot be found out here."""
  try:
    packed = path.read_bytes()
    if packed.startswith(ZSTANDARD):
      return False
    zlib.decompress(packed)
  except zlib.error:
    return True
  except OSError:
    return False
  return False
