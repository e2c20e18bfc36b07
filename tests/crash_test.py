"""A crash at any file operation loses nothing: the same call goes on to the same bits.

A process that is really killed takes seconds, so by default crashes are simulated in this one: from
the crash on, every further operation on the run's folder fails, also those of clean-up code. What
is on disk then is what a kill at this moment would leave. Orbax's threads, which wait for each
other for minutes if one of them fails, are left out there; the slow tests kill a process at any
operation.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import jax
import pytest

from configs import introduction
from tests.command import ROOT, assert_same_bits, metrics, tree
from toy_superposition import runner
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.records import opening
from toy_superposition.records.recorder import DiskRecorder

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink"}


class Crash(BaseException):
  """The end of the simulated machine."""


class Disk:
  """Counts the operations that change a folder, and fails from a chosen one on."""

  def __init__(self) -> None:
    self.folder, self.count, self.last, self.kills = "", 0, sys.maxsize, False

  def watch(self, folder: Path | str, last: int = sys.maxsize, kills: bool = False) -> None:
    """Begins to count; with `kills` those of all threads, and ends the process."""
    self.folder, self.count, self.last, self.kills = str(folder), 0, last, kills

  def __call__(self, event: str, arguments: tuple) -> None:
    if not self.folder or (event != "open" and event not in CHANGES):
      return
    if event == "open" and not arguments[2] & WRITES:
      return
    if not str(arguments[0]).startswith(self.folder):
      return
    if not self.kills and threading.current_thread() is not threading.main_thread():
      return
    self.count += 1
    if self.count > self.last and self.kills:
      os.kill(os.getpid(), signal.SIGKILL)
    if self.count > self.last:
      raise Crash


DISK = Disk()
sys.addaudithook(DISK)  # for good: such a hook cannot be taken away, but watches nothing by default


@pytest.fixture(autouse=True)
def unwatched():
  yield
  DISK.watch("")


def resolved() -> config.ResolvedConfig:
  settings = introduction.get_config("quick")
  settings.experiment = "none"
  settings.axis.density.num = settings.axis.restart.num = 2
  settings.train.steps, settings.train.batch_size = 30, 16
  settings.history.num = 3
  settings.run.log_every, settings.run.checkpoint_seconds = 10, 0.0
  settings.evaluation.n_samples = 1024
  return config.resolve(settings)


def run(folder: Path, overwrite: bool = False) -> None:
  what, mesh = resolved(), meshes.make_mesh(setup.devices(1))
  with opening.session(
    folder, what.values, what.identity, overwrite=overwrite, command=["x", "-m", "y"], devices=[]
  ) as workdir:
    if runner.stored(workdir) is None:
      runner.run(what, workdir, mesh)


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> tuple[Path, int]:
  """The folder of an undisturbed run, and the number of operations that it took."""
  folder = tmp_path_factory.mktemp("expected") / "run"
  DISK.watch(folder)
  run(folder)
  return folder, DISK.count


def crash(folder: Path, last: int, overwrite: bool = False) -> None:
  """Runs until after a number of operations; whatever is raised is the crash."""
  DISK.watch(folder, last)
  try:
    run(folder, overwrite)
  except BaseException:  # of other types where a library has wrapped the crash
    assert DISK.count > DISK.last
  finally:
    DISK.watch("")


def kill(folder: Path, last: int, overwrite: bool = False) -> bool:
  """Runs in a process that is killed after a number of operations; returns whether it was."""
  code = "import sys; from tests.crash_test import child; child(*sys.argv[1:])"
  done = subprocess.run(
    [sys.executable, "-c", code, str(folder), str(last), "1" * overwrite],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode in (0, -signal.SIGKILL), done.stderr
  return done.returncode != 0


def child(folder: str, last: str, overwrite: str) -> None:
  """What `kill` runs."""
  jax.config.update("jax_num_cpu_devices", 8)  # as here, where a run that it began goes on
  jax.config.update("jax_default_matmul_precision", "highest")
  DISK.watch(folder, int(last), kills=True)
  run(Path(folder), bool(overwrite))


def check(folder: Path, expected: Path) -> None:
  run(folder)
  assert_same_bits(folder, expected)
  assert metrics(folder) == metrics(expected)
  assert {n for n, c in tree(folder).items() if "checkpoints" not in n} == {
    n for n, c in tree(expected).items() if "checkpoints" not in n
  }


def test_there_are_operations_to_crash_at(expected):
  assert expected[1] > 20


@pytest.mark.quick("0.5")
@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.8, 0.97])
def test_a_crash_somewhere_costs_nothing(expected, tmp_path, share):
  folder, count = expected
  crash(tmp_path / "run", int(share * count))
  check(tmp_path / "run", folder)


@pytest.mark.quick("True")
@pytest.mark.parametrize("saved", [False, True])
def test_a_crash_around_the_first_checkpoint_repeats_no_line_of_metrics(
  expected, tmp_path, monkeypatch, saved
):
  save = DiskRecorder.save

  def crashing(self, snapshot):
    if saved:
      save(self, snapshot)
    raise Crash

  with monkeypatch.context() as patch, pytest.raises(Crash):
    patch.setattr(DiskRecorder, "save", crashing)
    run(tmp_path / "run")
  assert [record["step"] for record in metrics(tmp_path / "run")] == [0]
  check(tmp_path / "run", expected[0])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_a_kill_at_any_operation_costs_nothing(expected, tmp_path, part):
  """Of all threads; the last one is where the process ends by itself."""
  last = part
  while kill(there := tmp_path / str(last), last):
    check(there, expected[0])
    shutil.rmtree(there)
    last += 4
  check(there, expected[0])
  assert last > 50


@pytest.mark.slow
def test_a_second_kill_while_the_first_is_mended_costs_nothing(expected, tmp_path):
  for last in range(3, expected[1], 17):
    kill(tmp_path / str(last), last)
    for again in (2, 11):
      kill(tmp_path / str(last), again)
    check(tmp_path / str(last), expected[0])


@pytest.mark.slow
def test_a_kill_while_a_run_is_overwritten_leaves_one_run_or_the_other(expected, tmp_path):
  """Whatever is left, the command that was killed can be given again and ends right."""
  for last in range(0, 60, 3):
    there = tmp_path / str(last)
    shutil.copytree(expected[0], there)
    kill(there, last, overwrite=True)
    run(there, overwrite=True)
    check(there, expected[0])
