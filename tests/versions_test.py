"""The commit that a run records is the source tree's, and recording it changes nothing there."""

import os
import subprocess
from pathlib import Path

import pytest

from toy_superposition.records import versions


def git(folder: Path, *arguments: str) -> str:
  who = ["-c", "user.name=a", "-c", "user.email=a@b"]
  return subprocess.run(
    ["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True
  ).stdout.strip()


@pytest.fixture
def source(tmp_path, monkeypatch) -> Path:
  """A file in a repository, in the place of the module."""
  file = tmp_path / "versions.py"
  file.write_text("1")
  git(tmp_path, "init", "-q")
  git(tmp_path, "add", "versions.py")
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
  installed = source.parent / "site-packages" / "versions.py"
  installed.parent.mkdir()
  installed.write_text("1")
  monkeypatch.setattr(versions, "__file__", str(installed))
  assert versions.made_by()["commit"] is None


def test_the_repository_is_left_as_it_is(source):
  """Its index would be refreshed, under a lock, for a file that was only touched."""
  os.utime(source, (1, 1))
  before = (source.parent / ".git" / "index").read_bytes()
  assert "dirty" not in versions.made_by()["commit"]
  assert (source.parent / ".git" / "index").read_bytes() == before
