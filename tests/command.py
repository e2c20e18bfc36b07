"""The program as a person starts it: commands in processes of their own, and what they leave."""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from toy_superposition import main, terminal
from toy_superposition.devices import setup
from toy_superposition.records import remote, results
from toy_superposition.records.workdir import Workdir
from toy_superposition.records.workdir import sessions as recorded_sessions
from toy_superposition.report import finish

ROOT = Path(__file__).parent.parent
CONFIG = f"--config={ROOT / 'configs' / 'phase_change.py'}:quick"
GRID = [f"--config.axis.{name}.num=2" for name in ("density", "relative_importance", "restart")]
TINY = [CONFIG, *GRID, "--config.train.batch_size=16", "--config.train.steps=40"]
NO_THEORY = ["--config.experiment=none"]
# Long enough to be stopped in the middle, with a checkpoint at every pause.
STEPS, LOG_EVERY = 10_000, 500
LONG = [CONFIG, *GRID, *NO_THEORY, "--config.train.batch_size=16", f"--config.train.steps={STEPS}"]
# The reference: on other devices, so many steps carry the round-off of reordered sums far.
LONG += ["--config.train.estimator=autodiff", f"--config.run.log_every={LOG_EVERY}"]
LONG += ["--config.run.checkpoint_seconds=0", "--cpu_devices=1"]
LOG_LINE = re.compile(r"\d\d:\d\d:\d\d ")
# Of compiled programs, instead of the user's; conftest.py has made it that of all tests.
CACHE = os.environ["JAX_COMPILATION_CACHE_DIR"]
# Tests that use `in_process`: ml_collections reads config files in a deprecated way.
reads_configs = pytest.mark.filterwarnings("ignore:the load_module")
PATIENCE = 120  # seconds; a run here takes some seconds on an idle machine


def start(*arguments, cwd=ROOT, module="main", limits=(), env=None) -> subprocess.Popen:
  """Starts the program; `limits` are (resource, number) to be set before it does anything.

  With an `env` of its own it does not see the tests' cache of compiled programs.
  """
  inherited = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
  process = subprocess.Popen(
    [sys.executable, "-m", f"toy_superposition.{module}", *map(str, arguments)],
    cwd=cwd,
    env=inherited | {"PYTHONPATH": str(ROOT)} | (env or {"JAX_COMPILATION_CACHE_DIR": CACHE}),
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  for name, number in limits:
    import resource

    resource.prlimit(process.pid, getattr(resource, name), (number, number))
  return process


def end(process: subprocess.Popen) -> subprocess.CompletedProcess:
  """Waits for the program and returns its outcome."""
  try:
    stdout, stderr = process.communicate(timeout=PATIENCE)
  except subprocess.TimeoutExpired:
    process.kill()
    raise
  return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def run(*arguments, **keywords) -> subprocess.CompletedProcess:
  return end(start(*arguments, **keywords))


def succeed(*arguments, **keywords) -> subprocess.CompletedProcess:
  done = run(*arguments, **keywords)
  assert done.returncode == 0, done.stderr
  return done


def last_line(done: subprocess.CompletedProcess, code: int = 1) -> str:
  """Returns the one line that ends the program; asserts that all others are of the log."""
  *before, last = done.stderr.splitlines()
  assert [line for line in before if not LOG_LINE.match(line)] == []
  assert done.returncode == code, done.stderr
  return last


def only_line(done: subprocess.CompletedProcess) -> str:
  """Returns the one line of a refusal; asserts that nothing else was printed."""
  assert len(done.stderr.splitlines()) == 1, done.stderr
  assert done.stdout == ""
  return last_line(done)


def until_checkpoint(process: subprocess.Popen, workdir: Path) -> None:
  """Waits until the program has saved a checkpoint and metrics, somewhere in its middle."""
  group, log = workdir / "checkpoints" / "group_0000", workdir / "metrics.jsonl"

  def begun() -> bool:
    saved = group.is_dir() and any(name.isdigit() for name in os.listdir(group))
    return saved and log.is_file() and log.stat().st_size > 0

  deadline = time.monotonic() + PATIENCE
  while not begun():
    assert process.poll() is None, process.communicate()
    assert time.monotonic() < deadline
    time.sleep(0.005)


def tree(path: Path) -> dict[str, bytes | None]:
  """Returns every file below a folder with its content, and every folder with None."""
  return {
    str(p.relative_to(path)): p.read_bytes() if p.is_file() else None for p in path.rglob("*")
  }


def variables(workdir: Path) -> dict[str, np.ndarray]:
  """Returns every variable and coordinate of a finished run."""
  datasets = results.read(Workdir(workdir))
  return {f"{g} {n}": v.values for g, ds in datasets.items() for n, v in ds.variables.items()}


def assert_same_bits(found: Path, expected: Path) -> None:
  a, b = variables(found), variables(expected)
  assert a.keys() == b.keys()
  for name in a:
    assert (a[name].dtype, a[name].shape) == (b[name].dtype, b[name].shape), name
    assert a[name].tobytes() == b[name].tobytes(), name


def metrics(workdir: Path) -> list[dict]:
  """Returns the records of a run without what depends on the machine."""
  records = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
  for record in records:
    del record["instance_steps_per_second"]
  return records


def sessions(workdir: Path) -> list[dict]:
  return recorded_sessions(Workdir(workdir))


def copy(workdir: Path, to: Path) -> Path:
  return Path(shutil.copytree(workdir, to / "run"))


def in_process(
  monkeypatch: pytest.MonkeyPatch, *arguments, cwd: Path = ROOT
) -> subprocess.CompletedProcess:
  """Returns the outcome of main, called in this process and with its devices.

  Cheaper than a process by 4 seconds; for what a process does, its devices and signals, use `run`.
  """
  words = [*map(str, arguments)]
  monkeypatch.chdir(cwd)
  monkeypatch.setattr(setup, "configure", lambda *options: None)  # jax has its devices already
  monkeypatch.setattr(terminal, "show_log", lambda quiet=False: None)
  return _outcome(lambda: main.call(*words), words)


def report_in_process(
  monkeypatch: pytest.MonkeyPatch, *arguments: str, cwd: Path = ROOT
) -> subprocess.CompletedProcess:
  """Returns the outcome of the report's program for --workdir or no argument, in this process."""
  monkeypatch.chdir(cwd)
  workdir = arguments[0].removeprefix("--workdir=") if arguments else None

  def call() -> int:
    with remote.opened(workdir) as path:
      finish.present_again(Workdir(path))
    return 0

  return _outcome(lambda: terminal.guarded(call), arguments)


def _outcome(call: Callable[[], int], words: Sequence[str]) -> subprocess.CompletedProcess:
  """Returns what a call prints and the code with which it ends."""
  stdout, stderr = io.StringIO(), io.StringIO()
  with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
    try:
      code = call()
    except SystemExit as ended:
      code = int(ended.code or 0)
  return subprocess.CompletedProcess(words, code, stdout.getvalue(), stderr.getvalue())
