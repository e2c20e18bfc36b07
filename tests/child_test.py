"""Entry points in processes of their own: their output, how they end, and what they start with."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from tests.command import ROOT
from toy_superposition.cli import child

PATIENCE = 60  # seconds


@pytest.mark.parametrize(
  ("code", "problem"),
  [
    ("print(*sys.argv[1:])", ""),
    ("print(*sys.argv[1:]); sys.exit()", ""),
    ("print(*sys.argv[1:]); sys.exit(3)", "a b (LOG)"),
    ("print(*sys.argv[1:], flush=True); raise ValueError('no')", "ValueError: no (LOG)"),
    ("print(*sys.argv[1:]); sys.stdout.flush(); sys.exit('refused')", "refused (LOG)"),
    ("os.kill(os.getpid(), 9)", "exit code -9 (LOG)"),
  ],
)
def test_a_child_writes_to_its_log_and_says_how_it_ended(
  tmp_path, monkeypatch, capfd, code, problem
):
  ended(tmp_path, monkeypatch, code, problem)
  assert capfd.readouterr() == ("", "")


def test_where_no_socket_can_be_it_is_a_new_process(tmp_path, monkeypatch):
  assert child.processes() is multiprocessing.get_context("forkserver")
  monkeypatch.setattr(child, "LONGEST", 3)
  assert child.processes() is multiprocessing.get_context("spawn")
  ended(tmp_path, monkeypatch, "print(*sys.argv[1:]); sys.exit(3)", "a b (LOG)")


def ended(tmp_path, monkeypatch, code, problem):
  (tmp_path / "program.py").write_text(f"import os, sys\n{code}\n")
  monkeypatch.syspath_prepend(tmp_path)
  monkeypatch.setattr(child, "IMPORTS", (child.__name__,))
  log = tmp_path / "log.txt"
  running = child.Child("program", ["a", "b"], log)
  assert running.wait(PATIENCE)
  assert running.problem() == problem.replace("LOG", str(log))
  assert log.read_text().startswith("a b\n" * ("argv" in code))


def test_a_child_starts_with_its_imports_made_and_no_device_touched(tmp_path):
  (tmp_path / "program.py").write_text(
    "import os, sys, jax\n"
    "from toy_superposition.cli.child import IMPORTS\n"
    "print(set(IMPORTS) - set(sys.modules), jax._src.xla_bridge.backends_are_initialized(), "
    "os.getsid(0) == os.getpid())\n"
  )
  code = (
    "import sys; from pathlib import Path; from toy_superposition.cli.child import Child; "
    f"sys.path.append({str(tmp_path)!r}); "
    f"assert Child('program', [], Path({str(tmp_path / 'log')!r})).wait({PATIENCE})"
  )
  subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
  assert (
    tmp_path / "log"
  ).read_text() == "set() False True\n"  # a session of its own: no Ctrl-C twice


def test_ctrl_c_while_the_imports_are_made_is_one_line_and_leaves_no_process_or_file(tmp_path):
  words = [f"--workdir={tmp_path / 'runs'}", "--experiments=introduction", "--quick"]
  temporary = tempfile.mkdtemp()  # tmp_path may be too long for a socket
  process = subprocess.Popen(
    [sys.executable, "-m", "toy_superposition.reproduce", *words],
    cwd=ROOT,
    env=os.environ | {"TMPDIR": temporary},
    start_new_session=True,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  log, deadline = tmp_path / "runs" / "logs" / "introduction.txt", time.monotonic() + PATIENCE
  while not log.exists():
    assert time.monotonic() < deadline
    time.sleep(0.01)
  os.killpg(process.pid, signal.SIGINT)  # as a terminal does
  _, stderr = process.communicate(timeout=PATIENCE)  # until nobody has its output any more
  assert process.returncode == 130
  assert stderr == "SIGINT: stopped; the same command continues\n"
  os.rmdir(temporary)  # is empty
  with pytest.raises(ProcessLookupError):
    while time.monotonic() < deadline:
      os.killpg(process.pid, 0)
      time.sleep(0.01)
