"""What a run was made by: versions of packages, and the commit of the source tree."""

import contextlib
import functools
import importlib.metadata
import json
import platform
import subprocess
import tomllib
from pathlib import Path
from typing import Any

NAME = "toy_superposition"  # of the package and of its project
PACKAGES = ("toy_superposition", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def versions() -> dict[str, str]:
  """Returns the versions that results may depend on."""
  installed = {"python": platform.python_version()}
  for package in PACKAGES:
    try:
      installed[package] = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
      installed[package] = "not installed"
  return installed


def packages() -> dict[str, str]:
  """Returns the versions of packages, which the processes of one run have in common."""
  return {name: version for name, version in versions().items() if name in PACKAGES}


def commit() -> str | None:
  """Returns the commit of this package's source tree, marked if there are changes, or that of the
  repository from which pip installed it; None if neither is known.

  It is never that of another repository: that around an installed package, or one whose owner keeps
  a copy of the package in it.
  """
  try:
    if not _is_ours(Path(_git("rev-parse", "--show-toplevel"))):
      return _installed_commit()
    _git("ls-files", "--error-unmatch", __file__)  # not of a repository around an installed package
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return _git("rev-parse", "HEAD") + "-dirty" * bool(changes)
  except (OSError, subprocess.SubprocessError):
    return _installed_commit()


@functools.cache
def commit_of_process() -> str:
  """Returns the commit as it was when first asked for, or "unknown"."""
  return commit() or "unknown"


def _is_ours(root: Path) -> bool:
  """Returns whether a repository is that of this package: it holds the package's project file."""
  project = root / "pyproject.toml"
  if not Path(__file__).is_relative_to(root / NAME) or not project.is_file():
    return False
  with project.open("rb") as file:
    try:
      return tomllib.load(file).get("project", {}).get("name") == NAME
    except tomllib.TOMLDecodeError:
      return False


def _installed_commit() -> str | None:
  """Returns the commit that pip wrote down when it installed this package from a repository."""
  with contextlib.suppress(importlib.metadata.PackageNotFoundError, ValueError, OSError):
    distribution = importlib.metadata.distribution(NAME)
    here = Path(str(distribution.locate_file(NAME))).resolve()
    if Path(__file__).resolve().is_relative_to(here):
      origin = json.loads(distribution.read_text("direct_url.json") or "{}")
      return origin.get("vcs_info", {}).get("commit_id")
  return None


def _git(*arguments: str) -> str:
  """Returns what git says about the repository of the source tree, in which it changes nothing.

  Without locks: one that a killed process left behind would stop its owner's next commit.
  """
  command = ["git", "-C", str(Path(__file__).parent), "--no-optional-locks", *arguments]
  done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
  return done.stdout.strip()


def made_by() -> dict[str, Any]:
  """Returns versions and commit, as a session of the journal has them."""
  return {"versions": versions(), "commit": commit()}
