"""Runs one experiment, or one shard of it, as the flags of main.py say.

Modules are imported where they are used: --list does not wait for jax.
"""

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
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
  from toy_superposition.config.source import is_config
  from toy_superposition.devices import memory, meshes, processes, setup
  from toy_superposition.records import remote, versions

  resolved = resolve(options.config)
  text = str(Path("runs") / resolved.name) if options.workdir is None else options.workdir
  remote.check(text)
  if options.print_config:
    print(fields.describe(resolved.values))
    return 0
  check_alone(options)
  if options.profile_steps is not None:
    check_trace(resolved, options)
  terminal.show_log()
  setup.configure(options.cpu_devices or setup.cores(), options.compilation_cache)
  processes.join(
    options.coordinator,
    options.num_processes,
    options.process_id,
    timeout=resolved.values["run.peer_timeout"],
    identity=resolved.identity | versions.packages(),
  )
  mesh = meshes.make_mesh(setup.devices(options.devices))
  if not processes.is_first():
    terminal.show_log(quiet=True)
  without = ", without --overwrite," if options.overwrite else ""
  advice = f"the same command{without} continues from what is saved in {text}"
  with interrupts.raised(advice), memory.explained(), contextlib.ExitStack() as stack:
    if options.dry_run:
      print_dry_run(resolved, mesh, options)
      return 0
    # The first process alone reads and writes; the others have no copy.
    own = text if processes.is_first() or not remote.is_remote(text) else os.devnull
    path = stack.enter_context(remote.opened(own, wanted_by(options.shard)))
    if is_config(resolved.values["source"]):
      resolved = with_trained_source(path, resolved, mesh, options)
    if options.shard is None:
      run_in(path, resolved, mesh, options, overwrite=options.overwrite)
    else:
      run_shard(path, resolved, mesh, options)
  return 0


def wanted_by(shard: str | None) -> "Callable[[str], bool]":
  """Returns which files of a remote folder a run needs: a shard its own, and others' manifests."""
  from toy_superposition import shards

  number, _, total = (shard or "").partition("/")
  if not (number.isdigit() and total.isdigit()):
    return lambda name: True
  folder = shards.Shard(int(number), int(total)).folder(Path()).as_posix()
  return lambda name: name.startswith(f"{folder}/") or name.endswith("manifest.json")


def check_alone(options: flags.FlagValues) -> None:
  """Raises UserError for what one process does, asked of several, before they meet."""
  if options.watch and options.shard is not None:
    raise UserError("--watch is for a whole run, whose page it becomes; leave --shard out")
  if options.coordinator is None:
    return
  if options.shard is not None:
    raise UserError("--shard and --coordinator are two ways to use many machines; take one")
  for name in ("dry_run", "profile_steps"):
    if options[name].value:
      raise UserError(f"--{name} is for one process; leave --coordinator out")


def print_list() -> None:
  """Prints the experiments that come with the package, with their costs."""
  from toy_superposition import terminal
  from toy_superposition.config import catalogue

  print(terminal.catalogue(catalogue.entries()))
  print("\nEach with the time measured on 2 CPU cores. [:quick] is a variant: --config=NAME:quick")


def print_dry_run(resolved: "ResolvedConfig", mesh: "Mesh", options: flags.FlagValues) -> None:
  """Prints the size of an experiment, or of one shard of it, and its estimated time.

  A config that it names as its source comes before it.
  """
  from toy_superposition import dry_run, report, shards
  from toy_superposition.cli import config_flag
  from toy_superposition.config import execute, source
  from toy_superposition.config.resolve import resolve, resolve_values
  from toy_superposition.devices.plan import make_plans

  start_up, name, before = config_flag.start_up(), resolved.values["source"], None
  if source.is_config(name) and options.shard is None:  # a shard's source is trained by itself
    first = resolve(execute.get_config(name))
    plans = make_plans(first, mesh)
    before = dry_run.estimate(first, plans, mesh, start_up=start_up, page=report.write_run)
    print(f"{before.text}\n")
    untrained = source.from_dataset(before.dataset(first, plans))
    resolved = resolve_values(resolved.values, untrained)
  if options.shard is not None:
    shard = shards.parse(options.shard, resolved)
    resolved = shards.cut(resolved, shard, mesh.devices.flat[0].platform)
  found = dry_run.estimate(
    resolved,
    make_plans(resolved, mesh),
    mesh,
    whole=options.shard is None,
    start_up=start_up,
    page=report.write_run,
  )
  print(found.text)
  if before:
    print(f"\n{dry_run.together(before.costs, found.costs, name)}")


def check_trace(resolved: "ResolvedConfig", options: flags.FlagValues) -> None:
  """Raises UserError for a trace that cannot be made, before anything is written."""
  from toy_superposition import trace

  trace.check_steps(resolved, options.profile_steps)


@contextlib.contextmanager
def session(
  path: Path,
  resolved: "ResolvedConfig",
  identity: Mapping[str, Any],
  mesh: "Mesh",
  *,
  overwrite: bool,
) -> Iterator["Workdir"]:
  """Yields the folder of a run, which the first process opens, locks and closes at the end."""
  from toy_superposition.devices import processes, setup
  from toy_superposition.records import opening, remote, tensorboard
  from toy_superposition.records import workdir as workdirs

  if resolved.values["run.tensorboard"]:
    tensorboard.check_installed()  # before anything is written or overwritten
  workdir = workdirs.Workdir(path)
  with contextlib.ExitStack() as stack:
    with processes.first_alone() as first:
      if first:
        opened = opening.session(
          path,
          resolved.values,
          identity,
          overwrite=overwrite,
          command=[sys.executable, "-m", "toy_superposition.main", *sys.argv[1:]],
          devices=[str(device) for device in mesh.devices.flat],
          options=setup.options(),
        )
        stack.enter_context(opened)
        print(remote.shown(f"writing to {path}"), flush=True)
    yield workdir


def with_trained_source(
  path: Path, resolved: "ResolvedConfig", mesh: "Mesh", options: flags.FlagValues
) -> "ResolvedConfig":
  """Returns the config with its source, which is trained in a folder of its own, or found there.

  Raises:
    UserError: of several processes or shards, each would train it.
  """
  from toy_superposition.config import execute, source
  from toy_superposition.config.resolve import resolve, resolve_values
  from toy_superposition.records import opening, remote

  name, folder = resolved.values["source"], path / source.FIELD
  if options.shard is not None or options.coordinator is not None:
    raise UserError(
      f"config.source: {name!r} is a config, which every process or shard would train by itself; "
      "run it first, and name its folder in config.source"
    )
  first = resolve(execute.get_config(name))
  print(f"{resolved.name} is trained on the models of {first.name}", flush=True)
  overwrite = options.overwrite and not opening.holds(folder, first.identity)
  run_in(folder, first, mesh, options, overwrite=overwrite)
  print(remote.shown(f"\n{resolved.name}, on the models in {folder}"), flush=True)
  return resolve_values(resolved.values, source.from_folder(str(folder)))


def run_in(
  path: Path,
  resolved: "ResolvedConfig",
  mesh: "Mesh",
  options: flags.FlagValues,
  *,
  overwrite: bool,
) -> None:
  """Runs an experiment in a folder, or finds it finished; draws it and prints its summary."""
  from toy_superposition import runner, trace
  from toy_superposition.devices import processes
  from toy_superposition.devices.plan import make_plans
  from toy_superposition.records.workdir import Workdir
  from toy_superposition.report import finish, watching

  finished = os.path.exists(Workdir(path).results)  # not Path.exists: a path may be impossible
  # Errors of the plans come before anything is written or overwritten.
  needs_plans = overwrite or not finished or options.profile_steps is not None
  plans = make_plans(resolved, mesh) if needs_plans else None
  with session(path, resolved, resolved.identity, mesh, overwrite=overwrite) as workdir:
    if plans and options.profile_steps is not None:
      print(trace.write(plans[0], workdir, options.profile_steps), flush=True)
    datasets = runner.stored(workdir) if processes.is_first() else None
    if not processes.any_of(int(datasets is not None)):
      with contextlib.ExitStack() as stack:
        live = None
        if options.watch and processes.is_first():
          live = stack.enter_context(watching.page(workdir, resolved.name, resolved.axes))
          print(f"to watch: {workdir.report.resolve().as_uri()}", flush=True)
        datasets = runner.run(resolved, workdir, mesh, plans, live)
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
  from toy_superposition.devices.plan import make_plans
  from toy_superposition.records import remote

  shard = shards.parse(options.shard, resolved)
  shards.check_neighbours(root, resolved, shard)
  folder = shard.folder(root)
  own = shards.cut(resolved, shard, mesh.devices.flat[0].platform)
  finished = not options.overwrite and shards.is_finished(folder)
  # Errors of the plans come before anything is written or overwritten.
  plans = [] if finished and options.profile_steps is None else make_plans(own, mesh)
  if options.profile_steps is not None:
    check_trace(own, options)
  identity, overwrite = shards.identity(resolved, shard), options.overwrite
  with session(folder, own, identity, mesh, overwrite=overwrite) as workdir:
    if options.profile_steps is not None:
      print(trace.write(plans[0], workdir, options.profile_steps), flush=True)
    if finished:
      print(f"shard {shard.name} is finished (--overwrite runs it afresh)")
    else:
      shards.save(folder, own, runner.outcomes(own, workdir, plans))
  # Rows from outside are registered by the config, which collect then has to execute too.
  rows = [word for word in sys.argv if word.startswith("--config=")] if resolved.outside else []
  command = ["python", "-m", "toy_superposition.collect", remote.shown(f"--workdir={root}"), *rows]
  print(f"\nonce all are finished: {shlex.join(command)}")
