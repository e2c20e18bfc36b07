"""Versions: the commit that a run records, whose recording changes nothing, and those of Python."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from toy_superposition.records import versions

ROOT = Path(__file__).parent.parent


def git(folder: Path, *arguments: str) -> str:
  who = ["-c", "user.name=a", "-c", "user.email=a@b"]
  return subprocess.run(
    ["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True
  ).stdout.strip()


PROJECT = '[project]\nname = "toy_superposition"\n'


@pytest.fixture
def source(tmp_path, monkeypatch) -> Path:
  """A file in a repository like this one, in the place of the module."""
  file = tmp_path / "toy_superposition" / "versions.py"
  file.parent.mkdir()
  file.write_text("1")
  (tmp_path / "pyproject.toml").write_text(PROJECT)
  git(tmp_path, "init", "-q")
  git(tmp_path, "add", ".")
  git(tmp_path, "commit", "-qm", "first")
  monkeypatch.setattr(versions, "__file__", str(file))
  return file


def test_the_commit_is_marked_if_a_tracked_file_has_changed(source):
  head = git(source.parent, "rev-parse", "HEAD")
  (source.parent / "untracked").write_text("1")
  assert versions.made_by()["commit"] == head
  source.write_text("2")
  assert versions.made_by()["commit"] == f"{head}-dirty"


def test_a_package_installed_within_another_repository_has_no_commit(source, monkeypatch):
  installed = source.parent.parent / "site-packages" / "versions.py"
  installed.parent.mkdir()
  installed.write_text("1")
  monkeypatch.setattr(versions, "__file__", str(installed))
  assert versions.made_by()["commit"] is None


def test_the_repository_is_left_as_it_is(source):
  """Its index would be refreshed, under a lock, for a file that was only touched."""
  os.utime(source, (1, 1))
  before = (source.parent.parent / ".git" / "index").read_bytes()
  assert "dirty" not in versions.made_by()["commit"]
  assert (source.parent.parent / ".git" / "index").read_bytes() == before


@pytest.mark.parametrize("place", ["", "vendor"])
@pytest.mark.parametrize("project", ["", '[project]\nname = "mine"\n', "not toml"])
def test_a_copy_in_somebody_s_repository_has_not_its_commit(place, project, tmp_path, monkeypatch):
  file = tmp_path / place / "toy_superposition" / "versions.py"
  file.parent.mkdir(parents=True)
  file.write_text("1")
  (tmp_path / "pyproject.toml").write_text(project)
  git(tmp_path, "init", "-q")
  git(tmp_path, "add", ".")
  git(tmp_path, "commit", "-qm", "theirs")
  monkeypatch.setattr(versions, "__file__", str(file))
  assert versions.made_by()["commit"] is None


def test_a_package_that_pip_installed_from_a_repository_has_its_commit(tmp_path, monkeypatch):
  file = tmp_path / "site-packages" / "toy_superposition" / "versions.py"
  file.parent.mkdir(parents=True)
  file.write_text("1")
  about = tmp_path / "site-packages" / "toy_superposition-0.1.0.dist-info"
  about.mkdir()
  (about / "METADATA").write_text(
    "Metadata-Version: 2.1\nName: toy_superposition\nVersion: 0.1.0\n"
  )
  (about / "direct_url.json").write_text('{"url": "x", "vcs_info": {"commit_id": "abc"}}')
  monkeypatch.setattr(versions, "__file__", str(file))
  monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
  assert versions.made_by()["commit"] == "abc"


def test_the_citation_has_the_package_s_version():
  about = project()["project"]
  lines = (ROOT / "CITATION.cff").read_text().splitlines()
  assert f"version: {about['version']}" in lines
  assert f"license: {about['license']}" in lines
  assert "CITATION.cff" in (ROOT / "README.md").read_text()


def project() -> dict:
  with open(ROOT / "pyproject.toml", "rb") as file:
    return tomllib.load(file)


def supported() -> list[tuple[int, int]]:
  """Returns the versions of Python that the package's metadata names."""
  found = re.findall(r"Python :: (3)\.(\d+)$", "\n".join(project()["project"]["classifiers"]), re.M)
  return [(int(major), int(minor)) for major, minor in found]


def test_versions_of_python_are_a_range_from_the_lowest_on_for_which_jax_has_wheels():
  lowest = tuple(map(int, project()["project"]["requires-python"].removeprefix(">=").split(".")))
  assert supported() == [(3, minor) for minor in range(lowest[1], supported()[-1][1] + 1)]
  assert project()["tool"]["ruff"]["target-version"] == f"py3{lowest[1]}"
  of_jaxlib = importlib.metadata.metadata("jaxlib").get_all("Classifier") or []
  known = {line.rpartition(":: ")[2] for line in of_jaxlib}
  here = sys.version_info[1]  # older versions of Python have an older jaxlib
  newer = {f"3.{minor}" for _, minor in supported() if minor >= here} - known
  major, minor = map(int, importlib.metadata.version("jaxlib").split(".")[:2])
  assert not newer or (major, minor) < (0, 8)  # older ones have no wheels for 3.14
  assert sys.version_info[:2] >= supported()[0]


def interpreters() -> list[Path]:
  """Returns the supported versions of Python that are installed here, one of each."""
  found = {}
  for major, minor in supported():
    known = [shutil.which(f"python{major}.{minor}")]
    known += sorted(map(str, Path.home().glob(f".pyenv/versions/{major}.{minor}.*/bin/python")))
    for path in filter(None, known):
      code = "import sys; print(sys.version_info[:2])"
      done = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
      if done.stdout.strip() == str((major, minor)):
        found[major, minor] = Path(path)
  return list(found.values())


@pytest.mark.slow
def test_every_installed_version_of_python_reads_the_package_and_runs_it_where_jax_is(tmp_path):
  """Of the versions without jax no more is known than that they can compile the package."""
  reads = """
import pathlib, sys
for folder in ("toy_superposition", "configs"):
  for path in pathlib.Path(folder).rglob("*.py"):
    compile(path.read_bytes(), str(path), "exec")
try:
  import jax, orbax.checkpoint, xarray
except ImportError:
  sys.exit(3)
"""
  run = ["--config=introduction:quick", "--config.train.steps=20", "--config.experiment=none"]
  ran = 0
  for number, python in enumerate([Path(sys.executable), *interpreters()]):
    done = subprocess.run(
      [python, "-W", "error", "-c", reads], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 3), f"{python}: {done.stderr}"
    if done.returncode == 0:
      folder = f"--workdir={tmp_path / str(number)}"
      command = [str(python), "-m", "toy_superposition.main", *run, folder]
      subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
      ran += 1
  assert ran
