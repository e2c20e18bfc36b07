"""How entry points end: with one line, whatever became of their output."""

import errno
import io
import os
import subprocess
import sys

import pytest

from tests.command import NO_THEORY, ROOT, TINY
from toy_superposition import terminal

FULL = "/dev/full"
pytestmark = pytest.mark.skipif(not os.path.exists(FULL), reason="needs a device that is full")


def with_full_output(*words: str, stderr=subprocess.PIPE) -> subprocess.CompletedProcess:
  """Runs an entry point whose standard output cannot be written."""
  with open(FULL, "w") as full:
    return subprocess.run(
      [sys.executable, "-m", *words], cwd=ROOT, stdout=full, stderr=stderr, text=True, check=False
    )


@pytest.mark.parametrize(
  "words",
  [
    (f"toy_superposition.{name}", "--help")
    for name in ("main", "collect", "reproduce", "gallery", "report")
  ]
  + [("toy_superposition.main", "--list"), ("toy_superposition.main", "--helpfull")],
  ids=" ".join,
)
def test_a_standard_output_that_is_full_is_one_line(words):
  done = with_full_output(*words)
  assert (done.returncode, done.stderr) == (1, "standard output: No space left on device\n")


def test_where_nothing_can_be_said_the_exit_code_says_it():
  with open(FULL, "w") as full:
    assert with_full_output("toy_superposition.main", "--list", stderr=full).returncode == 1


@pytest.mark.slow
def test_a_run_whose_output_is_full_ends_in_one_line(tmp_path):
  run = ["toy_superposition.main", *TINY, *NO_THEORY, f"--workdir={tmp_path / 'run'}"]
  assert subprocess.run([sys.executable, "-m", *run], cwd=ROOT, check=True).returncode == 0
  for words in (run, ["toy_superposition.report", f"--workdir={tmp_path / 'run'}"]):
    done = with_full_output(*words)
    assert (done.returncode, done.stderr) == (1, "standard output: No space left on device\n")


class Full(io.StringIO):
  """A stream that takes text and cannot write it."""

  def flush(self):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_a_buffer_still_holds_counts_as_output(monkeypatch, capsys):
  monkeypatch.setattr(sys, "stdout", Full())
  with pytest.raises(SystemExit) as ended:
    terminal.guarded(print, "seen by nobody")
  assert ended.value.code == 1
  assert capsys.readouterr().err == "standard output: No space left on device\n"


def test_an_entry_point_returns_what_its_function_does():
  assert terminal.guarded(lambda: None) == 0
  assert terminal.guarded(lambda code: code, 3) == 3
