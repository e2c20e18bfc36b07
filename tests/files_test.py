"""Files appear whole or not at all, and the disk's errors are one line."""

import errno
import os
import re
from pathlib import Path

import pytest

from toy_superposition.errors import UserError
from toy_superposition.records import files


def write(path: Path, content: str) -> None:
  with files.replacing(path) as temporary:
    temporary.write_text(content)


def test_a_block_that_succeeds_replaces_the_file_and_leaves_nothing_else(tmp_path):
  path = tmp_path / "data.txt"
  write(path, "first")
  write(path, "second")
  assert path.read_text() == "second"
  assert os.listdir(tmp_path) == ["data.txt"]


@pytest.mark.parametrize("before", [None, "old"])
@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_a_block_that_raises_leaves_the_old_file_and_no_temporary(tmp_path, before, error):
  path = tmp_path / "data.txt"
  if before:
    path.write_text(before)
  with pytest.raises(type(error)), files.replacing(path) as temporary:
    temporary.write_text("half of the n")
    raise error
  assert (path.read_text() if path.exists() else None) == before
  assert os.listdir(tmp_path) == ([path.name] if before else [])


def test_the_old_file_is_readable_until_the_block_ends(tmp_path):
  path = tmp_path / "data.txt"
  path.write_text("old")
  with files.replacing(path) as temporary:
    temporary.write_text("new")
    assert path.read_text() == "old"


def test_a_full_disk_in_the_block_names_the_file_and_keeps_the_old_one(tmp_path):
  path = tmp_path / "data.txt"
  path.write_text("old")
  with pytest.raises(UserError) as caught, files.replacing(path) as temporary:
    temporary.write_text("half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
  assert str(caught.value) == f"{path}: No space left on device"
  assert path.read_text() == "old"
  assert os.listdir(tmp_path) == ["data.txt"]


def test_a_write_that_the_system_refuses_at_the_last_moment_names_the_file(tmp_path, monkeypatch):
  path = tmp_path / "data.json"
  path.write_text("old")

  def full(descriptor):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

  monkeypatch.setattr(os, "fsync", full)
  with pytest.raises(UserError, match=f"^{re.escape(str(path))}: No space left on device$"):
    files.write_json(path, {"a": 1})
  assert path.read_text() == "old"
  assert os.listdir(tmp_path) == ["data.json"]


def test_content_is_on_disk_before_the_rename_and_the_rename_at_the_end(tmp_path, monkeypatch):
  path, events = tmp_path / "data.txt", []
  fsync, replace = os.fsync, os.replace

  def synced(descriptor):
    events.append(("sync", os.readlink(f"/proc/self/fd/{descriptor}")))
    fsync(descriptor)

  def replaced(source, target):
    events.append(("rename", str(target)))
    replace(source, target)

  monkeypatch.setattr(os, "fsync", synced)
  monkeypatch.setattr(os, "replace", replaced)
  write(path, "new")
  temporary = str(tmp_path / ".data.txt.tmp")
  assert events == [("sync", temporary), ("rename", str(path)), ("sync", str(tmp_path))]


def test_links_are_replaced_and_never_followed(tmp_path):
  theirs, path = tmp_path / "theirs.txt", tmp_path / "data.txt"
  theirs.write_text("mine")
  path.symlink_to(theirs)
  path.with_name(".data.txt.tmp").symlink_to(theirs)
  write(path, "new")
  assert theirs.read_text() == "mine"
  assert path.read_text() == "new" and not path.is_symlink()
  link = tmp_path / "lines.txt"
  link.symlink_to(theirs)
  with pytest.raises(UserError, match=re.escape(str(link))):
    files.append_line(link, "line", sync=False)
  assert theirs.read_text() == "mine"


@pytest.mark.parametrize("before", ["", "one\n", "one\ntor"])
def test_a_line_is_appended_after_a_torn_one(tmp_path, before):
  path = tmp_path / "lines.txt"
  path.write_text(before)
  files.append_line(path, "two", sync=True)
  files.append_line(path, "three", sync=False)
  assert path.read_text().splitlines() == [*before.splitlines(), "two", "three"]


@pytest.mark.parametrize("folder", ["missing", "a_file"])
def test_a_folder_that_cannot_be_written_is_one_line_naming_the_file(tmp_path, folder):
  (tmp_path / "a_file").write_text("not a folder")
  with pytest.raises(UserError) as caught:
    files.write_json(tmp_path / folder / "data.json", {})
  message = str(caught.value)
  assert folder in message and "data.json" in message
  assert len(message.splitlines()) == 1
  assert os.listdir(tmp_path) == ["a_file"]


def test_disk_errors_names_the_file_that_the_system_names(tmp_path):
  missing = tmp_path / "missing.txt"
  with pytest.raises(UserError) as caught, files.disk_errors(tmp_path / "other.txt"):
    missing.read_text()
  assert str(caught.value) == f"{missing}: No such file or directory"
  assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_disk_errors_is_one_line_without_a_reason_of_the_system(tmp_path):
  with pytest.raises(UserError) as caught, files.disk_errors(tmp_path):
    raise OSError("unable to lock file\nHDF5 error back trace")
  assert str(caught.value) == f"{tmp_path}: unable to lock file"


def test_disk_errors_has_a_line_for_an_error_without_any_words(tmp_path):
  with pytest.raises(UserError, match=re.escape(str(tmp_path))), files.disk_errors(tmp_path):
    raise OSError


def test_errors_of_other_kinds_pass_unchanged(tmp_path):
  with pytest.raises(ZeroDivisionError), files.disk_errors(tmp_path):
    1 / 0


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_nan_and_infinity_are_refused_and_the_old_file_stays(tmp_path, number):
  path = tmp_path / "data.json"
  files.write_json(path, {"a": 1})
  with pytest.raises(ValueError, match="not JSON compliant"):
    files.write_json(path, {"a": [number]})
  assert files.read_json(path) == {"a": 1}
  assert os.listdir(tmp_path) == ["data.json"]


@pytest.mark.parametrize("content", [{"a": [1, 2.5, None, True, "S = 1 − p"]}, [], "text", None])
def test_json_is_read_back_as_it_was_written(tmp_path, content):
  path = tmp_path / "data.json"
  files.write_json(path, content)
  assert files.read_json(path) == content
  assert path.read_text().endswith("\n")


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1}x', b"\x00\x00", b"\xff\xfe\xfd"])
def test_a_file_that_is_not_json_is_one_line_naming_it(tmp_path, content):
  path = tmp_path / "data.json"
  path.write_bytes(content)
  with pytest.raises(UserError, match="not valid JSON") as caught:
    files.read_json(path)
  assert str(caught.value).startswith(f"{path}: ")
  assert len(str(caught.value).splitlines()) == 1


def test_a_missing_json_file_is_one_line_naming_it(tmp_path):
  with pytest.raises(UserError) as caught:
    files.read_json(tmp_path / "data.json")
  assert str(caught.value) == f"{tmp_path / 'data.json'}: No such file or directory"
