"""Where training pauses: at steps that the config decides, and in between often enough in seconds.

What a run loses when it is killed, and how long it takes to answer a signal, then depend on time
and not on the number of steps. Results do not depend on where training pauses.
"""

import time
from collections.abc import Callable, Iterator, Sequence

LOGS_PER_RUN = 20  # segments of a run whose config sets no length
MAX_SECONDS = 5.0  # between two pauses, where a step takes less
MAX_GROWTH = 8  # of a segment over the one before, whose time may be mostly overhead


def log_steps(first: int, steps: int, every: int, history_steps: Sequence[int]) -> list[int]:
  """Returns the steps from `first` on at which metrics are written.

  They are the multiples of `every` (0: a twentieth of the steps), the history steps, and the end.
  """
  every = every or max(1, -(-steps // LOGS_PER_RUN))
  if first == steps:
    return []
  later = {*range(first - first % every + every, steps, every), steps}
  start = {0} if first == 0 and 0 in history_steps else set()
  return sorted(start | later | {step for step in history_steps if step > first})


def segment_ends(
  first: int,
  log_steps: Sequence[int],
  *,
  agreed: Callable[[int], int] = lambda length: length,
  clock: Callable[[], float] = time.monotonic,
) -> Iterator[int]:
  """Yields the steps at which training pauses: `log_steps`, and steps between them.

  The time from one step yielded to the next one asked for is taken as that of the steps between.

  Args:
    first: step from which training continues.
    log_steps: increasing.
    agreed: returns the number of steps on which all processes of a run agree, given this one's.
    clock: seconds.
  """
  step, length = first, 1
  for end in log_steps:
    if end == step:
      yield end
    while step < end:
      n_steps, started = min(length, end - step), clock()
      step += n_steps
      yield step
      per_step = max(clock() - started, 1e-9) / n_steps
      length = agreed(int(max(1, min(MAX_SECONDS / per_step, MAX_GROWTH * max(length, n_steps)))))
