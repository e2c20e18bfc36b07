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
  source = Path(__file__).parent
  command = ["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=40"]
  try:
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
  except (OSError, subprocess.TimeoutExpired):
    return None
  return done.stdout.strip() if done.returncode == 0 else None


def made_by() -> dict[str, Any]:
  """Returns versions and commit, as a session of the journal has them."""
  return {"versions": versions(), "commit": _commit()}
