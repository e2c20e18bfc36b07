"""Signals: none is lost, and each ends the process, in one line, within seconds."""

import asyncio
import contextlib
import gc
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.command import LONG, ROOT, assert_same_bits, end, last_line, start, succeed
from toy_superposition import interrupts

BEGIN = "import gc, os, signal, sys, time; from toy_superposition import interrupts\n"
READY = "print('ready', flush=True)\n"
TAKEN = f"{BEGIN}interrupts.PATIENCE = .5\ninterrupts.take_over()\n"
BUSY = "while True: time.sleep(.01)\n"
# As libraries' own code in the main thread: no handler of Python's runs meanwhile.
STUCK = "import ctypes\nctypes.CDLL(None).system(b'exec sleep 8 >/dev/null 2>&1')\n"


@pytest.fixture(autouse=True)
def hangup_is_not_ignored():
  """As in a terminal, also where the tests themselves were started by nohup."""
  before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
  yield
  signal.signal(signal.SIGHUP, before)


@contextlib.contextmanager
def script(*lines: str, command=(), **options):
  """Starts Python without jax; yields when it is ready."""
  with subprocess.Popen(
    [*command, sys.executable, "-c", "".join(lines)],
    cwd=ROOT,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    **options,
  ) as process:
    try:
      assert process.stdout is not None and process.stdout.readline() == "ready\n"
      yield process
    finally:
      process.kill()


def ending(process: subprocess.Popen, within: float = 5) -> tuple[int, list[str]]:
  begun = time.monotonic()
  process.wait(timeout=30)
  assert time.monotonic() - begun < within
  assert process.stderr is not None
  return process.returncode, process.stderr.read().splitlines()


@contextlib.contextmanager
def in_the_collector(number: signal.Signals):
  """Sends this process a signal while the garbage collector calls back, where exceptions vanish."""

  def callback(phase, info):
    gc.callbacks.remove(callback)
    signal.raise_signal(number)

  gc.callbacks.append(callback)
  yield gc.collect


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_within_a_callback_of_the_collector_is_not_lost(number):
  with interrupts.raised("go on"), in_the_collector(number) as collect:
    collect()  # raises nothing
    with interrupts.deferred() as stop:
      assert stop() == number
    with pytest.raises(interrupts.Interrupted, match=f"{number.name}: stopped; go on") as stopped:
      interrupts.check()
    assert stopped.value.exit_code == 128 + number
  interrupts.check()  # nothing is left of it


def test_a_deferred_signal_is_not_lost_within_a_callback_and_the_second_raises():
  with interrupts.deferred() as stop, in_the_collector(signal.SIGTERM) as collect:
    assert stop() is None
    collect()
    interrupts.check()  # the block stops by itself
    assert stop() == signal.SIGTERM
    with pytest.raises(interrupts.Interrupted):
      signal.raise_signal(signal.SIGINT)


def test_blocks_leave_handlers_and_the_wakeup_of_an_event_loop_as_they_were():
  numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

  async def seen() -> list:
    received: list[str] = []
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, received.append, "loop")
    with interrupts.raised(), contextlib.suppress(interrupts.Interrupted):
      signal.raise_signal(signal.SIGINT)
    with interrupts.deferred() as stop:
      signal.raise_signal(signal.SIGINT)
      assert stop() == signal.SIGINT
    signal.raise_signal(signal.SIGTERM)
    await asyncio.sleep(0.05)
    loop.remove_signal_handler(signal.SIGTERM)
    return received

  before = [signal.getsignal(number) for number in numbers]
  assert asyncio.run(seen()) == ["loop"]
  assert [signal.getsignal(number) for number in numbers] == before


@pytest.mark.parametrize("module", ["main", "reproduce", "gallery", "collect", "report"])
def test_ctrl_c_during_imports_is_one_line(module, tmp_path):
  (tmp_path / "absl").mkdir()
  # The first import of all entry points. Whatever a module does with exceptions does not matter.
  (tmp_path / "absl" / "__init__.py").write_text(
    f"import time\n{READY}while True:\n  try: time.sleep(9)\n  except BaseException: pass\n"
  )
  lines = f"import runpy; runpy.run_module('toy_superposition.{module}', run_name='__main__')"
  environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
  with script(lines, env=environment) as process:
    process.send_signal(signal.SIGINT)
    assert ending(process) == (130, ["interrupted"])


@pytest.mark.parametrize("lines", [BUSY, STUCK])
def test_outside_of_blocks_a_signal_ends_the_process_at_once_even_in_native_code(lines):
  with script(TAKEN, READY, lines) as process:
    time.sleep(0.2)
    process.terminate()
    assert ending(process, within=2) == (143, ["SIGTERM: stopped"])


BLOCK = "block = interrupts.raised('go on')\nblock.__enter__()\n"
VANISHED = """
def callback(phase, info):
  gc.callbacks.remove(callback)
  os.kill(os.getpid(), signal.SIGTERM)
gc.callbacks.append(callback)
sys.unraisablehook = lambda unraisable: None
gc.collect()
"""


@pytest.mark.parametrize("lines", [STUCK, VANISHED + BUSY])
def test_a_process_that_does_not_ask_for_its_signal_ends_within_seconds(lines):
  with script(TAKEN, BLOCK, READY, lines) as process:
    time.sleep(0.2)
    if lines == STUCK:
      process.terminate()
    assert ending(process) == (143, ["SIGTERM: stopped; go on"])


ASKS = "with interrupts.raised('go on'), interrupts.deferred() as stop:\n  {}\n  time.sleep(2)\n"


def test_a_block_that_has_something_to_save_takes_its_time_and_another_does_not():
  after = f"interrupts.end(interrupts.Interrupted({int(signal.SIGHUP)}))"
  with script(TAKEN, ASKS.format(f"stop(); {READY}"), after) as process:
    process.terminate()
    # Beyond the patience: the block ends first.
    assert ending(process) == (129, ["SIGHUP: stopped"])
  with script(TAKEN, ASKS.format(READY), after) as process:
    process.terminate()
    assert ending(process) == (143, ["SIGTERM: stopped; go on"])


def test_a_second_signal_ends_the_process_at_once():
  with script(TAKEN, ASKS.format(f"stop(); {READY}"), STUCK) as process:
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    process.terminate()
    assert ending(process, within=1) == (130, ["SIGINT: stopped; go on"])


def test_a_closed_terminal_stops_a_run_unless_it_was_started_by_nohup():
  lines = (
    TAKEN,
    BLOCK,
    READY,
    "while True: interrupts.check()",
  )
  with script(*lines) as process:
    process.send_signal(signal.SIGHUP)
    code, said = ending(process)
    assert (code, said[-1]) == (
      1,
      "toy_superposition.interrupts.Interrupted: SIGHUP: stopped; go on",
    )
  with script(TAKEN, READY, BUSY, command=["nohup"], stdin=subprocess.DEVNULL) as process:
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert process.poll() is None
    process.terminate()
    assert ending(process) == (143, ["SIGTERM: stopped"])


@pytest.mark.parametrize(("written", "code"), [(b"", 143), (bytes([signal.SIGINT]), 130)])
def test_a_child_hears_of_its_parents_signal_and_of_its_end(written, code):
  reading, writing = os.pipe()
  environment = os.environ | {interrupts.PARENT: str(reading)}
  with script(TAKEN, READY, BUSY, pass_fds=[reading], env=environment) as process:
    os.close(reading)
    os.write(writing, written)
    os.close(writing)
    assert ending(process)[0] == code


SUPERVISED = """
from pathlib import Path
from toy_superposition.cli import child
log = Path(sys.argv[1])
sys.path.append(str(log.parent))
interrupts.take_over()
child.IMPORTS = (child.__name__,)
child.Child("program", [str(log.with_name("pid"))], log).wait(60)
"""


def alive(pid: int) -> bool:
  with contextlib.suppress(OSError):
    os.kill(pid, 0)
    return True
  return False


def test_no_child_of_reproduce_outlives_it_even_if_it_is_killed(tmp_path):
  tell = "open(sys.argv[1], 'w').write(str(os.getpid()))\n"
  (tmp_path / "program.py").write_text(TAKEN + tell + BUSY)
  parent = subprocess.Popen([sys.executable, "-c", BEGIN + SUPERVISED, tmp_path / "log"], cwd=ROOT)
  deadline, file = time.monotonic() + 60, tmp_path / "pid"
  while not (file.exists() and file.read_text()):
    assert parent.poll() is None and time.monotonic() < deadline
    time.sleep(0.02)
  parent.kill()
  parent.wait()
  deadline, child = time.monotonic() + 5, int(file.read_text())
  while alive(child):
    assert time.monotonic() < deadline
    time.sleep(0.02)
  assert "SIGTERM: stopped" in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_a_hundred_signals_at_random_moments_end_a_run_in_seconds_and_it_continues(tmp_path):
  draw = random.Random(0)
  expected, workdir = tmp_path / "expected", tmp_path / "run"
  succeed(*LONG, f"--workdir={expected}")
  for _ in range(100):
    number = draw.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    process = start(*LONG, f"--workdir={workdir}")
    time.sleep(draw.uniform(0.5, 8))
    sent = time.monotonic()
    process.send_signal(number)
    done = end(process)
    if done.returncode in (0, -number) and "results.nc" in done.stdout:  # it was faster
      assert_same_bits(workdir, expected)
      (workdir / "results.nc").unlink()
      continue
    assert time.monotonic() - sent < interrupts.PATIENCE + 5
    line = last_line(done, 128 + number)
    assert line == "interrupted" or line.startswith(f"{number.name}: stopped")
  succeed(*LONG, f"--workdir={workdir}")
  assert_same_bits(workdir, expected)
