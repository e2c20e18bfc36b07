"""One writer per folder, whatever else happens."""

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap

import pytest

from toy_superposition.errors import UserError
from toy_superposition.records import lock

HOLDER = """
  import sys, time
  from pathlib import Path
  from toy_superposition.records import lock
  with lock.held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
  """Another process, which holds the lock of a folder."""
  command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(tmp_path / "run")]
  process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
  assert process.stdout is not None and process.stdout.readline() == "held\n"
  yield process
  process.kill()
  process.communicate()


def test_a_second_writer_is_told_who_the_first_is_and_gets_in_when_it_was_killed(holder, tmp_path):
  with pytest.raises(UserError) as caught, lock.held(tmp_path / "run"):
    raise AssertionError("two writers")
  message = str(caught.value)
  assert f"process {holder.pid} on '{os.uname().nodename}' since '2" in message
  assert str(tmp_path / "run") in message and len(message.splitlines()) == 1
  holder.send_signal(signal.SIGKILL)
  holder.wait()
  with lock.held(tmp_path / "run"):
    owner = json.loads((tmp_path / "run" / ".lock").read_text())
  assert owner["pid"] == os.getpid()


def test_two_locks_in_one_process_exclude_each_other_too(tmp_path):
  ours = f"process {os.getpid()} on"
  with lock.held(tmp_path), pytest.raises(UserError, match=ours), lock.held(tmp_path):
    raise AssertionError("two writers")
  with lock.held(tmp_path):
    pass


def test_a_lock_that_nobody_holds_names_nobody(tmp_path):
  with lock.held(tmp_path):
    pass
  assert (tmp_path / ".lock").read_bytes() == b""


def test_a_file_system_without_locks_is_mentioned_and_done_without(tmp_path, monkeypatch, caplog):
  def refused(descriptor, operation):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

  monkeypatch.setattr(fcntl, "flock", refused)
  with lock.held(tmp_path):
    lock.check(tmp_path)
  (record,) = caplog.records
  assert str(tmp_path) in record.getMessage() and "no locks" in record.getMessage()


@pytest.mark.parametrize("again", [False, True], ids=["deleted", "replaced"])
def test_a_folder_that_was_deleted_while_it_was_locked_is_noticed(tmp_path, again):
  with lock.held(tmp_path / "run"):
    lock.check(tmp_path / "run")
    shutil.rmtree(tmp_path / "run")
    if again:
      (tmp_path / "run").mkdir()
      (tmp_path / "run" / ".lock").touch()
    with pytest.raises(UserError, match="was deleted or replaced"):
      lock.check(tmp_path / "run")


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
  (tmp_path / "theirs").write_text("mine")
  (tmp_path / "run").mkdir()
  (tmp_path / "run" / ".lock").symlink_to(tmp_path / "theirs")
  with pytest.raises(UserError, match=r"\.lock"), lock.held(tmp_path / "run"):
    raise AssertionError("followed")
  assert (tmp_path / "theirs").read_text() == "mine"
