"""Measures what devices share: python -m tests.benchmarks.devices

Work, memory and messages of each of 1 to 8 devices by XLA's own count (8 are simulated, so their
time would say nothing), time over this machine's cores, what checkpoints cost at the default
interval, and the memory that a run takes against what was planned. Three minutes on two cores.
"""

import collections
import ctypes
import gc
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from absl import app, logging

WIDTHS = (1, 2, 4, 8)
MESSAGES = r"= (\S+) (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)\("
LARGE = {"model.n_features": 8192, "model.n_hidden": 512, "train.batch_size": 256}
WIDE = {"model.n_hidden": 64, "train.batch_size": 256}
ROOT = Path(__file__).parents[2]


def main(argv: list[str]) -> None:
  """Prints every table; with a part's name, that part in a process prepared for it."""
  if len(argv) > 1:
    logging.set_verbosity(logging.WARNING)
    for line in PARTS[argv[1]](*argv[2:]):
      print(line, flush=True)
    return
  _part("scaling")
  cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
  for n in range(1, len(cores) + 1):
    _part("seconds", str(n), cores=cores[:n])
  for name in ("checkpoints", "memory"):
    _part(name)


def _part(*arguments: str, cores: list[int] | None = None) -> None:
  """Runs a part in a process of its own, on some of the cores."""

  def bind() -> None:
    if cores:
      os.sched_setaffinity(0, cores)

  command = [sys.executable, "-m", "tests.benchmarks.devices", *arguments]
  subprocess.run(command, cwd=ROOT, preexec_fn=bind, check=True)


def _group(changes: dict[str, Any], n_instances: int) -> Any:
  """Returns instances of a workload that nothing but `changes` describes."""
  from configs import base
  from tests.benchmarks.workloads import resolve

  return resolve({"density.base": 0.05, **changes}, {"restart": base.restarts(n_instances)})


def scaling() -> Iterator[str]:
  """Yields rows: XLA's count of one step's work on each device, and the messages between them."""
  import jax

  jax.config.update("jax_num_cpu_devices", max(WIDTHS))
  small: dict[str, Any] = {"model.n_features": 20, "model.n_hidden": 5}
  yield "| over | devices | instances | features | Mflop/device | MiB/device | messages (MiB) |"
  yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
  for k in WIDTHS:
    yield _row("instances, the same sweep", small, 64, k, 1)
  for k in WIDTHS:
    yield _row("instances, a sweep that grows", small, 8 * k, k, 1)
  for k in WIDTHS:
    yield _row("features, the same model", WIDE | {"model.n_features": 16384}, 1, k, k)
  for k in WIDTHS:
    yield _row("features, a model that grows", WIDE | {"model.n_features": 2048 * k}, 1, k, k)


def _row(
  name: str, changes: dict[str, Any], n_instances: int, n_devices: int, feature_devices: int
) -> str:
  from toy_superposition import problem, train
  from toy_superposition.devices import meshes, setup
  from toy_superposition.devices.plan import make_plan

  what = _group(changes | {"train.estimator": "autodiff"}, n_instances)
  mesh = meshes.make_mesh(setup.devices(n_devices))
  plan = make_plan(what, mesh, budget=2**62, limit=2**62, feature_devices=feature_devices)
  program = train.compile_programs(problem.make(what.spec), plan).segment
  costs, taken = program.cost_analysis(), _bytes_of(program)
  assert costs is not None
  sent = [shape for shape, _ in re.findall(MESSAGES, program.as_text() or "")]
  mebibytes = ", ".join(
    f"{n} × {_mebibytes(shape):.3g}" for shape, n in collections.Counter(map(_bare, sent)).items()
  )
  return (
    f"| {name} | {n_devices} | {n_instances} | {what.spec.n_features} | "
    f"{costs['flops'] / 1e6:.1f} | {taken / 2**20:.2f} | {mebibytes or 'none'} |"
  )


def _bytes_of(program: Any) -> int:
  """Returns the bytes of arguments, results and temporaries on a device, by XLA's count."""
  sizes = program.memory_analysis()
  return sizes.argument_size_in_bytes + sizes.output_size_in_bytes + sizes.temp_size_in_bytes


def _bare(shape: str) -> str:
  """Returns a shape's sides in order of size, without its layout."""
  sides = re.findall(r"\d+", shape.split("{")[0].split("[")[1])
  return ",".join(sorted(sides, key=int))


def _mebibytes(sides: str) -> float:
  count = 4.0 / 2**20
  for side in sides.split(","):
    count *= int(side)
  return count


def seconds(n_cores: str) -> Iterator[str]:
  """Yields lines: the time of a step on so many cores, with a device for each."""
  from tests.benchmarks import machine
  from tests.benchmarks.engine import Engine, plan_for
  from tests.benchmarks.workloads import WORKLOADS, group

  machine.configure()
  for name in ("W1", "W2", "W3"):
    what = group(WORKLOADS[name])
    engine = Engine(plan_for(what))
    engine.advance(10)
    n_steps = max(1, round(10 / engine.advance(10)))
    others = machine.Others()
    best = min(engine.advance(n_steps) for _ in range(5)) / n_steps
    yield (
      f"{name} on {n_cores} core(s): {1e3 * best:.3f} ms per step ({engine.estimator}, "
      f"{engine.n_devices} device(s), others {others.share():.0%})"
    )


def checkpoints() -> Iterator[str]:
  """Yields lines: what saving costs, as a share of a run that saves at the default interval."""
  from configs import base, phase_change
  from tests.benchmarks import machine
  from toy_superposition import runner
  from toy_superposition.config import resolve as config
  from toy_superposition.devices import meshes, setup
  from toy_superposition.records import opening, recorder

  machine.configure()
  interval = base.get_config().run.checkpoint_seconds
  main_job, large = phase_change.get_config(), base.get_config()
  large.update_from_flattened_dict(LARGE | {"name": "large", "evaluation.n_samples": 1024})
  large.update_from_flattened_dict({"measures": ("feature_norm",)})
  spent: list[float] = []
  save = recorder.DiskRecorder.save

  def timed(self, snapshot):
    started = time.perf_counter()
    save(self, snapshot)
    spent.append(time.perf_counter() - started)

  recorder.DiskRecorder.save = timed  # type: ignore[method-assign]
  for settings in (main_job, large):
    settings.update_from_flattened_dict({"train.steps": 20, "run.checkpoint_seconds": 0.0})
    settings.experiment = "none"
    what = config.resolve(settings)
    spent.clear()
    with tempfile.TemporaryDirectory() as folder:
      workdir = opening.open_workdir(
        Path(folder) / "run", what.values, what.identity, overwrite=False, command=[], devices=[]
      )
      runner.run(what, workdir, meshes.make_mesh(setup.devices()))
    spec, median = what.groups[0].spec, sorted(spent)[len(spent) // 2]
    yield (
      f"checkpoint of {len(what.groups[0].cells)} × (n={spec.n_features}, m={spec.n_hidden}): "
      f"{median:.3f} s, every {interval:g} s at most: {median / (median + interval):.2%} of a run"
    )


def memory() -> Iterator[str]:
  """Yields lines: the memory that training adds to the process, against what was planned."""
  from tests.benchmarks import machine
  from toy_superposition import problem, train
  from toy_superposition.devices import meshes, setup
  from toy_superposition.devices.plan import make_plan

  machine.configure()
  cases = (
    ("autodiff", {"model.n_features": 8192, "model.n_hidden": 512}, 1),
    ("blocked", {"model.n_features": 8192, "model.n_hidden": 512}, 1),
    ("autodiff", {"model.n_features": 400, "model.n_hidden": 30}, 40),
    ("autodiff", {"model.n_features": 20, "model.n_hidden": 5}, 2000),
  )
  for estimator, size, n_instances in cases:
    what = _group(size | {"train.estimator": estimator}, n_instances)
    mesh = meshes.make_mesh(setup.devices(1))
    plan = make_plan(what, mesh, budget=2**62, limit=2**62)
    planned = plan.bytes_per_slice
    group_problem, before = problem.make(what.spec), _resident()
    counts: list[int] = []

    def compiled(program: train.Program, counts: list[int] = counts) -> None:
      counts.append(_bytes_of(program.segment))

    for snapshot in train.run(group_problem, plan, [1, 3], on_compiled=compiled):
      if snapshot.step == 1:  # without what compilers took
        _resident()
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    taken = _status("VmHWM") - before
    del snapshot
    yield (
      f"{n_instances} × (n={what.spec.n_features}, m={what.spec.n_hidden}) by {estimator}: planned "
      f"{planned / 2**20:.0f} MiB; XLA counts {counts[0] / 2**20:.0f} "
      f"({planned / counts[0] - 1:+.0%} planned), the process grew by {taken / 2**20:.0f} "
      f"({planned / taken - 1:+.0%})"
    )


def _resident() -> int:
  """Returns this process's memory in bytes, after what is free was given back (glibc)."""
  gc.collect()
  ctypes.CDLL(None).malloc_trim(0)
  return _status("VmRSS")


def _status(field: str) -> int:
  """Returns a field of this process's memory in bytes (Linux)."""
  (line,) = [x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(field)]
  return 1024 * int(line.split()[1])


PARTS: dict[str, Callable[..., Iterator[str]]] = {
  "scaling": scaling,
  "seconds": seconds,
  "checkpoints": checkpoints,
  "memory": memory,
}

if __name__ == "__main__":
  app.run(main)
