"""Whole runs: what the engine adds to its compiled steps, start-up, and the exact phase diagram."""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import jax
from ml_collections import ConfigDict

from configs import base, phase_change
from tests.benchmarks import machine
from tests.benchmarks.engine import Engine, plan_for
from toy_superposition import problem, runner, train
from toy_superposition.config import resolve as config
from toy_superposition.devices import mapping
from toy_superposition.records import opening
from toy_superposition.train import Program

ROOT = Path(__file__).parents[2]
OVERHEAD_ROUNDS = 2
OVERHEAD_SECONDS = 60.0  # of the bare steps that an experiment is compared with: the main job's
STARTUP_LIMIT = 300.0  # seconds


def overhead(patience: machine.Patience) -> Iterator[str]:
  """Yields lines: an experiment in a folder against one call of the same compiled steps.

  The experiment is timed without compiling its steps: it is given the program that the bare call
  uses.
  """
  sweep = base.get_config()
  sweep.update_from_flattened_dict({"name": "overhead", "model.n_features": 2, "model.n_hidden": 1})
  axes = {"density": base.log("density.base", 1, 0.01, 32), "restart": base.restarts(32)}
  base.set_axes(sweep, **axes)
  (what,) = config.resolve(sweep).groups
  plan = plan_for(what)
  engine = Engine(plan)
  engine.advance(10)
  patience.wait(machine.QUIET)
  steps = round(100 * OVERHEAD_SECONDS / engine.advance(100))
  sweep.train.steps = steps  # data to the program, and no schedule looks at them
  yield (
    f"overhead on {steps} steps of {engine.n_instances} models ({engine.estimator}): bare "
    "compiled steps in one call; training with logs, metrics and checkpoints; evaluation and "
    "results too"
  )
  rounds = []
  for _ in range(OVERHEAD_ROUNDS):
    patience.wait(machine.QUIET)
    others = machine.Others()
    bare = engine.advance(steps)
    loop, whole = _experiment(sweep, plan.scoring_mesh, engine.program)
    rounds.append((others.share(), loop / bare - 1))
    yield (
      f"overhead: bare {bare:.2f} s, training {loop:.2f} s ({loop / bare - 1:+.1%}), all "
      f"{whole:.2f} s ({whole / bare - 1:+.1%}), others {others.share():.0%}"
    )
  yield f"overhead of training, least disturbed round: {min(rounds)[1]:+.1%}"


def _experiment(sweep: ConfigDict, mesh: jax.sharding.Mesh, program: Program) -> tuple[float, ...]:
  """Returns the seconds of an experiment's training and of the whole, with a compiled program."""
  what, evaluated = config.resolve(sweep), []
  map_slices = mapping.map_slices

  def evaluating(*arguments, **keywords):
    evaluated.append(time.perf_counter())
    return map_slices(*arguments, **keywords)

  with tempfile.TemporaryDirectory() as folder:
    workdir = opening.open_workdir(
      Path(folder) / "run", what.values, what.identity, overwrite=False, command=[], devices=[]
    )
    with (
      mock.patch.object(train, "compile_programs", lambda *_: program),
      mock.patch.object(mapping, "map_slices", evaluating),
    ):
      started = time.perf_counter()
      runner.run(what, workdir, mesh)
      ended = time.perf_counter()
  return evaluated[0] - started, ended - started


def exact_diagram() -> str:
  """Returns a line: configs/phase_change.py:exact, a phase diagram without sampling."""
  sweep = phase_change.get_config("exact")
  (what,) = config.resolve(sweep).groups
  plan, programs = plan_for(what), list[Program]()
  started = time.perf_counter()
  (last,) = train.run(problem.make(what.spec), plan, [what.spec.steps], on_compiled=programs.append)
  total = time.perf_counter() - started
  shape = "×".join(str(sweep.axis[name].num) for name in sweep.axes)
  return (
    f"{shape} exact: {len(last.losses)} models, {what.spec.steps} steps of {what.spec.optimizer} "
    f"on the expected loss in {total:.2f} s with compilation, "
    f"{total - programs[0].compile_seconds:.2f} s without"
  )


def startup() -> list[str]:
  """Returns lines: seconds until --help is printed and until the first step is trained."""
  command = [sys.executable, "-m", "toy_superposition.main"]
  helps = []
  for _ in range(3):
    started = time.perf_counter()
    subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, check=False)
    helps.append(time.perf_counter() - started)
  command += ["--config=configs/phase_change.py", "--config.run.log_every=1"]
  with tempfile.TemporaryDirectory() as cache:
    firsts = [_first_step(command, cache) for _ in range(3)]
  return [
    f"main --help: {statistics.median(helps):.2f} s",
    "configs/phase_change.py, from the process's start to its first trained step: "
    f"{firsts[0]:.2f} s, with a compilation cache {min(firsts[1:]):.2f} s",
  ]


def _first_step(command: list[str], cache: str) -> float:
  """Returns the seconds until a run has written the metrics of its first step; ends it then."""
  with tempfile.TemporaryDirectory() as folder:
    metrics = Path(folder) / "run" / "metrics.jsonl"
    started = time.perf_counter()
    run = subprocess.Popen(
      [*command, f"--workdir={metrics.parent}"],
      cwd=ROOT,
      stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL,
      env=os.environ | {"XDG_CACHE_HOME": cache},
    )
    try:
      while time.perf_counter() - started < STARTUP_LIMIT and run.poll() is None:
        if metrics.exists() and metrics.read_text().endswith("\n"):
          return time.perf_counter() - started
        time.sleep(0.01)
      raise RuntimeError(f"no step was trained by {' '.join(command)}")
    finally:
      run.send_signal(signal.SIGTERM)
      run.wait()
