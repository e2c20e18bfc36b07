"""Times every way of training a workload, in turn, beside what the machine could do."""

import dataclasses
import itertools
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax

from tests.benchmarks import floors, machine
from tests.benchmarks.engine import Engine, plan_for
from tests.benchmarks.workloads import GENERATORS, Method, Workload, group
from toy_superposition.devices import meshes, setup
from toy_superposition.estimators import ESTIMATORS
from toy_superposition.types import Group

MIN_SECONDS = 0.15  # of one timing, where more steps can make it last
MAX_FACTOR = 4096  # of a workload's steps
MIB = 2**20
NOTEBOOK = "notebook"

Advance = Callable[[int], float]  # trains so many steps and returns the seconds


@dataclasses.dataclass
class Candidate:
  """One way of training a workload."""

  name: str
  group: Group
  advance: Advance
  compile_seconds: float | None
  n_bytes: int | None
  n_steps: int = 1  # of a timing

  def calibrate(self, steps: int) -> None:
    """Sets the steps of a timing: `steps`, or a multiple of it that lasts MIN_SECONDS."""
    self.advance(steps)
    self.n_steps = steps
    while (seconds := self.advance(self.n_steps)) < MIN_SECONDS:
      if self.n_steps >= MAX_FACTOR * steps:
        break
      factor = 1.2 * MIN_SECONDS / max(seconds, 1e-6) * self.n_steps / steps
      self.n_steps = steps * min(MAX_FACTOR, round(factor) + 1)

  def time(self) -> float:
    """Returns the seconds per step of one timing."""
    return self.advance(self.n_steps) / self.n_steps


class Round(NamedTuple):
  """One visit of everything."""

  others: float  # share of the cores' time that other programs took meanwhile
  rates: list[float]
  seconds: list[float]  # per step, of each candidate


@dataclasses.dataclass(frozen=True)
class Row:
  """What was measured of one way: medians over rounds."""

  workload: str
  way: str  # row of ESTIMATORS, or the notebook
  precision: str
  generator: str
  n_instances: int
  milliseconds: float  # per step of all instances
  instance_steps_per_second: float
  compile_seconds: float | None
  mebibytes: float | None  # by XLA's count; the notebook's: growth of the process
  ratio: float | None  # the notebook's milliseconds over these
  ratio_low: float | None  # the same of the round where it was lowest
  ratio_high: float | None
  floor_share: float | None  # of these milliseconds, what products and draws take at least


@dataclasses.dataclass(frozen=True)
class Block:
  """One workload's rows, and the rates of the machine at that time."""

  rows: list[Row]
  rates: dict[str, float]  # floating-point operations, or words, per second
  others: float  # share of the cores' time that other programs took, median over rounds


def candidates(
  name: str, workload: Workload, with_notebook: bool, patience: machine.Patience
) -> Iterator[Candidate]:
  """Yields the ways that apply to a workload, ready to be timed."""
  if with_notebook and workload.notebook:
    yield _notebook(workload)
  plain = group(workload)
  for method, generator in itertools.product(workload.methods, GENERATORS):
    patience.wait(machine.QUIET)
    if ESTIMATORS[method.estimator].refuses(plain.spec, plain.instances):
      print(f"{name}: {method.estimator} does not apply")
    elif method.estimator != "exact" or generator == GENERATORS[0]:
      try:
        yield _own(workload, method, generator)
      except jax.errors.JaxRuntimeError as error:
        reason = str(error).splitlines()[0]
        print(f"{name}: {' '.join(method)} with {generator} does not run: {reason}")


def _own(workload: Workload, method: Method, generator: str) -> Candidate:
  changes = {
    "train.estimator": method.estimator,
    "train.precision": method.precision,
    "data.generator": generator,
  }
  what = group(workload, changes)
  engine = Engine(plan_for(what))
  compiled = engine.program.compile_seconds
  candidate = Candidate(method.estimator, what, engine.advance, compiled, engine.n_bytes())
  candidate.calibrate(workload.steps)
  return candidate


def _notebook(workload: Workload) -> Candidate:
  from tests.benchmarks import notebook

  what = group(workload)
  trained = notebook.Notebook(what)
  n_bytes = notebook.peak_increase(lambda: trained.advance(2))
  candidate = Candidate(NOTEBOOK, what, trained.advance, None, n_bytes)
  candidate.calibrate(workload.steps)
  return candidate


def measure(
  name: str,
  workload: Workload,
  n_rounds: int,
  with_notebook: bool,
  rates: dict[str, floors.Rate],
  patience: machine.Patience,
) -> Block:
  """Returns the rows of a workload: in every round each way is visited once.

  Rounds that other programs disturbed are repeated, up to twice as many in all, and the least
  disturbed are used.
  """
  found = list(candidates(name, workload, with_notebook, patience))
  used = {x.group.spec.precision for x in found} | {x.group.spec.generator for x in found}
  probes = {key: rate for key, rate in rates.items() if key in used}
  rounds: list[Round] = []
  while len(rounds) < 2 * n_rounds and sum(x.others < machine.QUIET for x in rounds) < n_rounds:
    patience.wait(machine.QUIET)
    others = machine.Others()
    measured = [rate() for rate in probes.values()]
    seconds = [candidate.time() for candidate in found]
    rounds.append(Round(others.share(), measured, seconds))
  rounds = sorted(rounds, key=lambda x: x.others)[:n_rounds]
  columns = zip(*(x.rates for x in rounds), strict=True)
  at_hand = dict(zip(probes, map(statistics.median, columns), strict=True))
  times = list(zip(*(x.seconds for x in rounds), strict=True))
  reference = times[0] if found[0].name == NOTEBOOK else None
  rows = [_row(name, x, own, reference, at_hand) for x, own in zip(found, times, strict=True)]
  return Block(rows, at_hand, statistics.median(x.others for x in rounds))


def _row(
  workload: str,
  candidate: Candidate,
  seconds: Sequence[float],
  reference: Sequence[float] | None,
  rates: dict[str, float],
) -> Row:
  spec, instances, _ = candidate.group
  typical, n_bytes = statistics.median(seconds), candidate.n_bytes
  ratio = low = high = floor = None
  if reference is not None:
    ratio = statistics.median(reference) / typical
    each = [a / b for a, b in zip(reference, seconds, strict=True)]
    low, high = min(each), max(each)
  own = candidate.name != NOTEBOOK
  if own:
    floor = floors.floor(spec, instances, rates)
  return Row(
    workload=workload,
    way=candidate.name,
    precision=spec.precision,
    generator="none" if spec.estimator == "exact" else spec.generator if own else "torch",
    n_instances=len(instances.index),
    milliseconds=1e3 * typical,
    instance_steps_per_second=len(instances.index) / typical,
    compile_seconds=candidate.compile_seconds,
    mebibytes=None if n_bytes is None else n_bytes / MIB,
    ratio=ratio,
    ratio_low=low,
    ratio_high=high,
    floor_share=None if floor is None else floor / typical,
  )


def machine_rates() -> dict[str, floors.Rate]:
  """Returns the rates of all devices, compiled."""
  return floors.rates(meshes.make_mesh(setup.devices()))
