"""Cost is proportional to instances, batch and steps, and does not depend on the sweep's axes."""

import statistics
import time
from typing import Any, NamedTuple

from configs import base
from tests.benchmarks.engine import Engine, plan_for
from tests.benchmarks.workloads import WORKLOADS, group, resolve
from toy_superposition.types import Group

NAMES = ("W1", "W2")
SECONDS = 0.3  # of one timing before anything is doubled
# The same 1024 instances' worth of work, as a sweep over one, two and four axes.
AXES: dict[str, dict[str, Any]] = {
  "1 axis": {"density": base.log("density.base", 1, 0.05, 1024)},
  "2 axes": {
    "density": base.log("density.base", 1, 0.05, 32),
    "importance": base.log("importance.ratio", 0.1, 10, 32),
  },
  "4 axes": {
    "density": base.log("density.base", 1, 0.05, 8),
    "importance": base.log("importance.ratio", 0.1, 10, 8),
    "rate": base.log("train.learning_rate", 1e-3, 1e-2, 4),
    "restart": base.restarts(4),
  },
}


class Run(NamedTuple):
  """A group to time, and how many times the base's steps it takes."""

  name: str
  group: Group
  factor: int = 1


def report(n_rounds: int) -> list[str]:
  """Returns lines with the cost per instance, example and step of each doubling and layout."""
  lines = []
  for name in NAMES:
    workload, twice = WORKLOADS[name], 2 * WORKLOADS[name].n_instances
    plain = group(workload)
    batch = {"train.batch_size": 2 * plain.spec.batch_size}
    runs = [
      Run("as it is", plain),
      Run("twice the instances", group(workload._replace(n_instances=twice))),
      Run("twice the batch", group(workload, batch)),
      Run("twice the steps", plain, 2),
    ]
    lines += [f"{name}: {line}" for line in _compare(runs, n_rounds)]
  runs, size = [], WORKLOADS["W2"].changes
  for name, axes in AXES.items():
    started = time.perf_counter()
    runs.append(Run(name, resolve({"importance.profile": "last_apart", **size}, axes)))
    lines.append(f"W2: a config of {name} resolves in {time.perf_counter() - started:.3f} s")
  return lines + [f"W2: {line}" for line in _compare(runs, n_rounds)]


def _compare(runs: list[Run], n_rounds: int) -> list[str]:
  """Returns each run's cost per instance, example and step, and its ratio to the first's."""
  engines = [Engine(plan_for(run.group)) for run in runs]
  engines[0].advance(10)
  n_steps = max(1, round(10 * SECONDS / engines[0].advance(10)))
  for engine in engines:
    engine.advance(1)
  costs: list[list[float]] = [[] for _ in runs]
  for _ in range(n_rounds):
    for run, engine, found in zip(runs, engines, costs, strict=True):
      work = engine.n_instances * run.group.spec.batch_size * run.factor * n_steps
      found.append(engine.advance(run.factor * n_steps) / work)
  lines = []
  for run, engine, found in zip(runs, engines, costs, strict=True):
    ratios = [a / b for a, b in zip(found, costs[0], strict=True)]
    lines.append(
      f"{run.name:<20} ({engine.estimator}) {1e9 * statistics.median(found):8.3f} ns per "
      f"instance, example and step; ratio {statistics.median(ratios):.2f} "
      f"({min(ratios):.2f}…{max(ratios):.2f} over rounds)"
    )
  return lines
