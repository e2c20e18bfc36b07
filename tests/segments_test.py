"""Training pauses where the config says, and often enough in seconds."""

import pytest

from toy_superposition import segments


class Machine:
  """A machine with a clock, on which steps take time."""

  def __init__(self, seconds_per_step, overhead=0.0):
    self.now, self.seconds_per_step, self.overhead = 0.0, seconds_per_step, overhead

  def clock(self) -> float:
    return self.now

  def train(self, first, log_steps) -> tuple[list[int], list[float]]:
    """Returns where training paused, and how long each segment took."""
    step = first
    ends: list[int] = []
    times: list[float] = []
    for end in segments.segment_ends(first, log_steps, clock=self.clock):
      assert end > step or (end == first and not ends)
      taken = (end - step) * self.seconds_per_step + self.overhead
      self.now, step = self.now + taken, end
      ends.append(end)
      times.append(taken)
    return ends, times


@pytest.mark.parametrize("seconds_per_step", [1e-6, 1e-3, 0.3, 40.0])
@pytest.mark.parametrize("overhead", [0.0, 0.5])
def test_pauses_are_at_most_seconds_apart_and_log_steps_are_among_them(seconds_per_step, overhead):
  log_steps = [0, 500, 1000, 20_000]
  ends, times = Machine(seconds_per_step, overhead).train(0, log_steps)
  assert ends == sorted(ends) and set(log_steps) <= set(ends) and ends[-1] == 20_000
  assert max(times) <= max(segments.MAX_SECONDS + overhead, seconds_per_step + overhead)


def test_a_fast_run_hardly_pauses_more_than_the_config_says():
  log_steps = list(range(500, 20_001, 500))
  ends, _ = Machine(1e-6).train(0, log_steps)
  assert len(ends) <= len(log_steps) + 5


def test_a_machine_that_becomes_slow_is_noticed():
  machine = Machine(1e-3)
  ends = segments.segment_ends(0, [100_000], clock=machine.clock)
  step = 0
  for end in ends:
    if end > 50_000:
      machine.seconds_per_step = 0.1
    taken = (end - step) * machine.seconds_per_step
    machine.now, step = machine.now + taken, end
    if machine.seconds_per_step == 0.1:
      break
  first = next(ends)
  assert (first - step) * 0.1 <= segments.MAX_SECONDS * 1.01


def test_all_processes_pause_where_the_first_one_does():
  slow, lengths = Machine(1.0), []

  def agreed(length):
    lengths.append(length)
    return 3

  ends = list(segments.segment_ends(0, [10], agreed=agreed, clock=slow.clock))
  assert ends == [1, 4, 7, 10] and lengths


@pytest.mark.parametrize(
  ("first", "steps", "every", "history", "expected"),
  [
    (0, 10, 4, (), [4, 8, 10]),
    (5, 10, 4, (), [8, 10]),
    (0, 10, 0, (0, 3, 10), [0, *range(1, 11)]),
    (0, 100, 50, (0, 3, 100), [0, 3, 50, 100]),
    (3, 100, 50, (0, 3, 100), [50, 100]),
    (10, 10, 1, (), []),
  ],
)
def test_log_steps_are_multiples_history_steps_and_the_end(first, steps, every, history, expected):
  assert segments.log_steps(first, steps, every, history) == expected
