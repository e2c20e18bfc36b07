"""A trace of some steps of a run, to see where a step's time goes."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import jax
from jax.sharding import Mesh

from toy_superposition import problem, train
from toy_superposition.config.resolve import Experiment
from toy_superposition.dry_run import _size, first_slice, plan
from toy_superposition.errors import UserError
from toy_superposition.records import files
from toy_superposition.runner import group_meshes

LARGE = 50 * 2**20  # bytes of a profile that viewers open slowly


def check_steps(experiment: Experiment, n_steps: int) -> None:
  """Raises UserError where the first group has not so many steps after its first one."""
  steps = experiment.groups[0].spec.steps
  if not 1 <= n_steps < steps:
    allowed = f"1 to {steps - 1}, all but the first, for" if steps > 1 else "none, for"
    raise UserError(f"--profile_steps={n_steps}: allowed: {allowed} config.train.steps={steps}")


def profile(experiment: Experiment, mesh: Mesh, budget: int, folder: Path, n_steps: int) -> str:
  """Traces steps of the first group's first slice into a folder; returns what to say of it.

  Compilation and the first step are over when the trace begins.

  Raises:
    UserError: as `check_steps`, or the disk is full.
  """
  check_steps(experiment, n_steps)
  mesh = group_meshes(experiment, mesh)[0]
  one = plan(experiment.groups[0], mesh, budget)
  group = first_slice(one)
  borders = [1, 1 + n_steps]
  running = train.run(problem.make(group.spec), group, borders, mesh=mesh, memory_budget=one.memory)
  next(running)
  before = set(folder.rglob("*"))
  with files.disk_errors(folder), _traced(folder):
    next(running)
  written = [path for path in folder.rglob("*") if path.is_file() and path not in before]
  size = sum(path.stat().st_size for path in written)
  instances = f"{len(group.instances.index)} instances, {one.group.spec.estimator}"
  advice = "; large: ask for fewer steps" if size > LARGE else ""
  return (
    f"profile of {n_steps} steps ({instances}): {folder}, {_size(size)}{advice}; "
    f"open *.trace.json.gz at https://ui.perfetto.dev, or: xprof --logdir={folder}"
  )


@contextlib.contextmanager
def _traced(folder: Path) -> Iterator[None]:
  """Traces what the block does, without Python's own calls where this jax can leave them out."""
  options = {}
  if hasattr(jax.profiler, "ProfileOptions"):
    chosen = jax.profiler.ProfileOptions()
    chosen.host_tracer_level, chosen.python_tracer_level = 1, 0
    options["profiler_options"] = chosen
  jax.profiler.start_trace(str(folder), **options)
  try:
    yield
  finally:
    jax.profiler.stop_trace()
