"""Runs one experiment, or one shard of it, as the flags of main.py say.

Modules are imported where they are used: --list does not wait for jax.
"""

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from toy_superposition.errors import UserError

if TYPE_CHECKING:
  from jax.sharding import Mesh

  from toy_superposition.config.resolve import ResolvedConfig
  from toy_superposition.records.workdir import Workdir


def main(options: flags.FlagValues) -> int:
  """Does what the flags ask for; returns the exit code.

  Raises:
    UserError: a flag, the config or a file is not as it must be.
  """
  if options.list:
    print_list()
    return 0
  from toy_superposition import fields, interrupts, terminal
  from toy_superposition.config.resolve import resolve
  from toy_superposition.devices import meshes, processes, setup

  resolved = resolve(options.config)
  if options.print_config:
    print(fields.describe(resolved.values))
    return 0
  if options.profile_steps is not None:
    check_trace(resolved, options)
  terminal.show_log()
  setup.configure(options.cpu_devices or setup.cores(), options.compilation_cache)
  processes.join(
    options.coordinator,
    options.num_processes,
    options.process_id,
    resolved.values["run.peer_timeout"],
  )
  if not processes.is_first():
    terminal.show_log(quiet=True)
  mesh = meshes.make_mesh(setup.devices(options.devices))
  path = Path(options.workdir) if options.workdir else Path("runs") / resolved.name
  try:
    with interrupts.raised():
      if options.dry_run:
        print_dry_run(resolved, mesh, options)
      elif options.shard is None:
        run_in(path, resolved, mesh, options)
      else:
        run_shard(path, resolved, mesh, options)
  except interrupts.Interrupted as signal:
    without = ", without --overwrite," if options.overwrite else ""
    message = f"{signal}: stopped; the same command{without} continues from what is saved in {path}"
    with processes.exit_at_once(unless=signal.agreed):
      terminal.fail(message, signal.exit_code)
  return 0


def print_list() -> None:
  """Prints the experiments in configs/ with their costs."""
  from toy_superposition import terminal
  from toy_superposition.config import catalogue

  print(terminal.catalogue([catalogue.entry(name) for name in catalogue.names()]))
  print(
    "\nEach with the time measured on 2 CPU cores. [:quick] is a variant: --config=FILE.py:quick"
  )


def print_dry_run(resolved: "ResolvedConfig", mesh: "Mesh", options: flags.FlagValues) -> None:
  """Prints the size of an experiment, or of one shard of it, and its estimated time."""
  from toy_superposition import dry_run, shards
  from toy_superposition.devices import processes
  from toy_superposition.devices.plan import make_plans

  if processes.count() > 1:
    raise UserError("--dry_run is for one process; leave --coordinator out")
  if options.shard is not None:
    shard = shards.parse(options.shard, resolved)
    resolved = shards.cut(resolved, shard, mesh.devices.flat[0].platform)
  print(dry_run.estimate(resolved, make_plans(resolved, mesh), mesh))


def check_trace(resolved: "ResolvedConfig", options: flags.FlagValues) -> None:
  """Raises UserError for a trace that cannot be made, before anything is written."""
  from toy_superposition import trace

  if options.coordinator is not None:
    raise UserError("--profile_steps is for one process; leave --coordinator out")
  trace.check_steps(resolved, options.profile_steps)


@contextlib.contextmanager
def session(
  path: Path,
  resolved: "ResolvedConfig",
  identity: Mapping[str, Any],
  mesh: "Mesh",
  options: flags.FlagValues,
) -> Iterator["Workdir"]:
  """Yields the opened folder of a run; writes the session's duration to its manifest at the end."""
  from toy_superposition.devices import processes
  from toy_superposition.records import tensorboard
  from toy_superposition.records import workdir as workdirs

  started = time.perf_counter()
  if resolved.values["run.tensorboard"]:
    tensorboard.check_installed()  # before anything is written or overwritten
  with processes.first_alone() as first:
    workdir = workdirs.Workdir(path)
    if first:
      workdir = workdirs.open_workdir(
        path,
        resolved.values,
        identity,
        overwrite=options.overwrite,
        command=[sys.executable, "-m", "toy_superposition.main", *sys.argv[1:]],
        devices=[str(device) for device in mesh.devices.flat],
      )
      print(f"writing to {path}", flush=True)

  def close() -> None:
    if first:
      workdirs.close_session(workdir, time.perf_counter() - started)

  try:
    yield workdir
  except BaseException:
    with contextlib.suppress(UserError):  # the error that ended the run is the one to report
      close()
    raise
  close()


def run_in(path: Path, resolved: "ResolvedConfig", mesh: "Mesh", options: flags.FlagValues) -> None:
  """Runs an experiment in a folder, or finds it finished; draws it and prints its summary."""
  from toy_superposition import runner, trace
  from toy_superposition.devices import processes
  from toy_superposition.devices.plan import make_plans
  from toy_superposition.records.workdir import Workdir
  from toy_superposition.report import finish

  finished = os.path.exists(Workdir(path).results)  # not Path.exists: a path may be impossible
  # Errors of the plans come before anything is written or overwritten.
  needs_plans = options.overwrite or not finished or options.profile_steps is not None
  plans = make_plans(resolved, mesh) if needs_plans else None
  with session(path, resolved, resolved.identity, mesh, options) as workdir:
    if plans and options.profile_steps is not None:
      print(trace.write(plans[0], workdir.profile, options.profile_steps), flush=True)
    datasets = runner.stored(workdir) if processes.is_first() else None
    if not processes.any_of(int(datasets is not None)):
      datasets = runner.run(resolved, workdir, mesh, plans)
    elif processes.is_first():
      print("this run is finished; drawing its figures again (--overwrite runs it afresh)")
    if not datasets:
      return  # the first process draws and reports
  finish.present(workdir, resolved.experiment, datasets)


def run_shard(
  root: Path, resolved: "ResolvedConfig", mesh: "Mesh", options: flags.FlagValues
) -> None:
  """Runs one of the shards of an experiment, or finds it finished."""
  from toy_superposition import runner, shards, trace
  from toy_superposition.devices import processes
  from toy_superposition.devices.plan import make_plans

  if processes.count() > 1:
    raise UserError("--shard and --coordinator are two ways to use many machines; take one")
  shard = shards.parse(options.shard, resolved)
  shards.check_neighbours(root, resolved, shard)
  folder = shard.folder(root)
  own = shards.cut(resolved, shard, mesh.devices.flat[0].platform)
  finished = not options.overwrite and shards.is_finished(folder)
  # Errors of the plans come before anything is written or overwritten.
  plans = [] if finished and options.profile_steps is None else make_plans(own, mesh)
  if options.profile_steps is not None:
    check_trace(own, options)
  with session(folder, own, shards.identity(resolved, shard), mesh, options) as workdir:
    if options.profile_steps is not None:
      print(trace.write(plans[0], workdir.profile, options.profile_steps), flush=True)
    if finished:
      print(f"shard {shard.name} is finished (--overwrite runs it afresh)")
    else:
      shards.save(folder, own, runner.outcomes(own, workdir, plans))
  print(f"\nonce all are finished: python -m toy_superposition.collect --workdir={root}")
