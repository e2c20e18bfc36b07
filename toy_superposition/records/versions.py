"""What a run was made by: versions of packages, and the commit of the source tree."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

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


def _commit() -> str | None:
  """Returns the commit of the source tree, marked if there are changes; None outside of git."""
  try:
    _git("ls-files", "--error-unmatch", __file__)  # not of a repository around an installed package
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return _git("rev-parse", "HEAD") + "-dirty" * bool(changes)
  except (OSError, subprocess.SubprocessError):
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
  return {"versions": versions(), "commit": _commit()}
