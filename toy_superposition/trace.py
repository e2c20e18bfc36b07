"""A trace of some steps of a run: where a step's time goes."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import jax

from toy_superposition import problem, text, train
from toy_superposition.config.resolve import ResolvedConfig
from toy_superposition.devices.plan import Plan
from toy_superposition.errors import UserError
from toy_superposition.records import files, opening
from toy_superposition.records.workdir import Workdir

LARGE = 50 * 2**20  # bytes of a trace that viewers open slowly


def check_steps(resolved: ResolvedConfig, n_steps: int) -> None:
  """Checks that the first group has that many steps after its first one.

  Raises:
    UserError: it has fewer.
  """
  steps = resolved.groups[0].spec.steps
  if not 1 <= n_steps < steps:
    allowed = f"1 to {steps - 1}, all but the first, for" if steps > 1 else "none, for"
    raise UserError(f"--profile_steps={n_steps}: allowed: {allowed} config.train.steps={steps}")


def write(plan: Plan, workdir: Workdir, n_steps: int) -> str:
  """Traces steps of a group's first slice into a run's folder; returns a line about the files.

  The trace begins after compilation and the first step.

  Args:
    plan: of the group, with more than `n_steps` steps.
    workdir: of the run.
    n_steps: steps to trace.

  Raises:
    UserError: the disk is full.
  """
  plan, folder = plan.first_slice(), workdir.profile
  segments = train.run(problem.make(plan.group.spec), plan, [1, 1 + n_steps])
  next(segments)
  before = set(folder.rglob("*"))
  with files.disk_errors(folder), _traced(folder):
    next(segments)
  written = [path for path in folder.rglob("*") if path.is_file() and path not in before]
  opening.add_files(workdir, written, written=True)
  size = sum(path.stat().st_size for path in written)
  instances = f"{len(plan.group.cells)} instances, {plan.group.spec.estimator}"
  advice = "; large: ask for fewer steps" if size > LARGE else ""
  return (
    f"profile of {n_steps} steps ({instances}): {folder}, {text.size(size)}{advice}; "
    f"open *.trace.json.gz at https://ui.perfetto.dev, or: xprof --logdir={folder}"
  )


@contextlib.contextmanager
def _traced(folder: Path) -> Iterator[None]:
  """Traces the block, without Python's own calls if this jax can leave them out."""
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
