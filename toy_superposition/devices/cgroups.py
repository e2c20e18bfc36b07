"""What a container may use: the processors and memory that the kernel's control groups allow.

A container sees all cores and all memory of its host; its limits are in files, of version 2 of the
control groups or of version 1. A limit of a group above this process's own holds too.
"""

import math
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
FILES = "sys/fs/cgroup"


def cores(root: Path = ROOT) -> int | None:
  """Returns the number of cores that the quota of processor time amounts to, rounded up.

  None without a quota.

  Args:
    root: of the file system.
  """
  quotas = []
  for folder in _folders(root, "cpu"):
    words = [*_words(folder / "cpu.max"), *_words(folder / "cpu.cfs_quota_us")]
    words += _words(folder / "cpu.cfs_period_us")  # version 2 has both numbers in one file
    if len(words) == 2 and all(word.isdigit() and int(word) for word in words):  # not max, not −1
      quotas.append(int(words[0]) / int(words[1]))
  return max(1, math.ceil(min(quotas))) if quotas else None


def memory_bytes(root: Path = ROOT) -> int | None:
  """Returns the bytes of memory that are allowed, None without a limit.

  Args:
    root: of the file system.
  """
  limits = []
  for folder in _folders(root, "memory"):
    words = [*_words(folder / "memory.max"), *_words(folder / "memory.limit_in_bytes")]
    limits += [int(word) for word in words if word.isdigit()]  # version 1: huge without one
  return min(limits, default=None)


def _folders(root: Path, controller: str) -> Iterator[Path]:
  """Yields the folders of this process's groups, and of those above them.

  Inside a container the path of its group is that of the host, which may not exist there: its own
  files are then at the top.
  """
  for line in _lines(root / "proc/self/cgroup"):
    number, _, rest = line.partition(":")
    names, _, path = rest.partition(":")
    if number == "0" and not names:
      tops = [root / FILES]
    elif controller in names.split(","):
      tops = [root / FILES / names, root / FILES / controller]
    else:
      continue
    own = Path(path.lstrip("/"))
    for top in tops:
      for group in (own, *own.parents):
        yield top / group


def _words(path: Path) -> list[str]:
  return [word for line in _lines(path) for word in line.split()]


def _lines(path: Path) -> list[str]:
  """Returns the lines of a file, none if it cannot be read."""
  try:
    return path.read_text().splitlines()
  except (OSError, UnicodeDecodeError):
    return []
