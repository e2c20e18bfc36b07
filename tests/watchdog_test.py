"""The line that says what a run waits for."""

import threading
import time

import pytest

from toy_superposition import watchdog


@pytest.fixture
def lines(monkeypatch):
  """Log lines, with a tenth of a second in the place of a minute."""
  monkeypatch.setattr(watchdog, "SECONDS", 0.1)
  said: list[str] = []
  monkeypatch.setattr(watchdog.log, "warning", lambda line, *values: said.append(line % values))
  return said


def test_what_takes_long_is_said_at_growing_intervals(lines):
  with watchdog.watched("run: scoring 3 instances"):
    time.sleep(0.6)
  assert 1 <= len(lines) <= 3  # after 1, 2 and 4 tenths
  assert lines[0].startswith("run: scoring 3 instances has taken 0 s")


def test_each_thing_done_has_its_own_minute(lines):
  with watchdog.watched("compiling") as watch:
    watch("training")
    time.sleep(0.35)
  assert lines and all(line.startswith("training") for line in lines)
  lines.clear()
  with watchdog.watched("training") as watch:
    for step in range(40):
      watch(f"training from step {step} on")
      time.sleep(0.005)
  assert lines == []


def test_nothing_is_left_after_the_block(lines):
  before = threading.active_count()
  with pytest.raises(ValueError), watchdog.watched("anything"):
    assert threading.active_count() == before + 1
    raise ValueError
  assert threading.active_count() == before
  assert lines == []
