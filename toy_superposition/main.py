"""Runs one experiment: python -m toy_superposition.main --config=configs/phase_change.py

The config is Python code and is executed; run only configs that you trust.
"""

import contextlib
import difflib
import itertools
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from toy_superposition.errors import UserError

if TYPE_CHECKING:
  from jax.sharding import Mesh

  from toy_superposition.config.resolve import Experiment
  from toy_superposition.records.workdir import Workdir

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines this entry point's flags."""
  from ml_collections import config_flags

  config_flags.DEFINE_config_file(
    "config", None, "An experiment in configs/, such as configs/phase_change.py:quick"
  )
  flags.DEFINE_string("workdir", None, "Where results go; runs/<config.name> by default.")
  flags.DEFINE_bool("overwrite", False, "Delete an earlier run in the workdir and start afresh.")
  flags.DEFINE_bool("list", False, "List the experiments with what each costs, and stop.")
  flags.DEFINE_bool("print_config", False, "Print every field of the config and stop.")
  flags.DEFINE_bool(
    "dry_run", False, "Time a few steps, print size, memory and time of the run, and stop."
  )
  flags.DEFINE_integer(
    "profile_steps", None, "Trace this many steps into WORKDIR/profile first.", lower_bound=1
  )
  flags.DEFINE_integer("devices", None, "Use this many devices; all by default.", lower_bound=1)
  flags.DEFINE_integer(
    "cpu_devices", None, "Split the CPU into this many; one per core by default.", lower_bound=1
  )
  flags.DEFINE_string(
    "shard", None, "Part i, from 0, of N on machines of their own; see collect.py."
  )
  flags.DEFINE_string(
    "coordinator",
    None,
    "Of process 0 of several that make this run; or auto, under SLURM and on TPUs.",
  )
  flags.DEFINE_integer("num_processes", None, "How many processes make this run together.")
  flags.DEFINE_integer("process_id", None, "Which of them this is, from 0.")
  flags.DEFINE_bool(
    "compilation_cache", True, "Whether compiled programs are kept in the user's cache folder."
  )


def parse_flags(argv: Sequence[str]) -> list[str]:
  """Parses the flags; whatever is wrong with the config becomes one line."""
  from toy_superposition import terminal

  try:
    rest = terminal.parse_flags(argv)
    if FLAGS.list:
      return rest
    found = FLAGS.config
    if found is not None:
      found.to_dict()  # a file that could not be read raises only when it is used
  except OSError:
    terminal.fail(f"--config: {_missing(_config_path(argv))}")
  except SyntaxError as error:
    terminal.fail(f"--config: {error.filename}, line {error.lineno}: {error.msg}")
  except Exception as error:  # a config is code, and may raise anything
    terminal.fail(_wrong_field(error, argv))
  if found is None:
    terminal.fail(
      "--config is missing; for example --config=configs/phase_change.py (--list shows all)"
    )
  return rest


def _config_path(argv: Sequence[str]) -> str:
  """Returns the file that --config names, in either of the ways in which flags are written."""
  path = ""
  for word, following in itertools.zip_longest(argv, argv[1:], fillvalue=""):
    name, _, value = word.lstrip("-").partition("=")
    if word.startswith("-") and name == "config":
      path = (value or following).split(":")[0]  # the last one counts
  return path


def _missing(path: str) -> str:
  """Returns what to say of a config file that cannot be read."""
  folder = Path(path).parent
  there = [str(p) for p in sorted(folder.glob("*.py"))] if folder.is_dir() else []
  there += [str(p) for p in sorted(Path("configs").glob("*.py"))]
  close = difflib.get_close_matches(path, there, n=1)
  return f"cannot read {path!r}" + (f"; did you mean {close[0]!r}?" if close else "")


def _wrong_field(error: BaseException, argv: Sequence[str]) -> str:
  """Returns what to say of an override of a field that does not exist, or of a broken file."""
  message: object = error
  while isinstance(message, BaseException):
    message = message.args[0] if message.args else repr(message)
  lines = str(message).splitlines()
  name = lines[0].strip("'\"") if lines else type(error).__name__
  override = next((a for a in argv if a.startswith("--config.") and name in a), None)
  if override is None:
    return f"--config: {type(error).__name__}: {message}"
  return f"{override}: there is no field {name!r}. {' '.join(lines[1:])}"


def main(argv: Sequence[str]) -> int:
  """Runs the experiment that the flags name; returns the exit code."""
  if FLAGS.list:
    return print_list()
  from toy_superposition import interrupts, terminal
  from toy_superposition.config import resolve as config
  from toy_superposition.devices import meshes, processes, setup

  del argv
  what = config.resolve(FLAGS.config)
  if FLAGS.print_config:
    print(FLAGS.config)
    return 0
  if FLAGS.profile_steps is not None:
    check_profile(what)
  terminal.show_log()
  setup.configure(FLAGS.cpu_devices or setup.cores(), FLAGS.compilation_cache)
  processes.join(
    FLAGS.coordinator, FLAGS.num_processes, FLAGS.process_id, what.values["run.peer_timeout"]
  )
  if not processes.is_first():
    terminal.show_log(quiet=True)
  mesh = meshes.make_mesh(setup.devices(FLAGS.devices))
  path = Path(FLAGS.workdir) if FLAGS.workdir else Path("runs") / what.name
  try:
    with interrupts.raised():
      if FLAGS.dry_run:
        print_dry_run(what, mesh)
      elif FLAGS.shard is None:
        run_in(path, what, mesh)
      else:
        run_shard(path, what, mesh)
  except interrupts.Interrupted as signal:
    without = ", without --overwrite," if FLAGS.overwrite else ""
    message = f"{signal}: stopped; the same command{without} continues from what is saved in {path}"
    with processes.left_at_once(unless=signal.agreed):
      terminal.fail(message, signal.exit_code)
  return 0


def print_list() -> int:
  """Prints the experiments that there are; returns the exit code."""
  from toy_superposition import terminal
  from toy_superposition.config import catalogue

  print(terminal.catalogue([catalogue.entry(name) for name in catalogue.names()]))
  print(
    "\nEach with the time measured on 2 CPU cores. [:quick] is a variant: --config=FILE.py:quick"
  )
  return 0


def print_dry_run(what: "Experiment", mesh: "Mesh") -> None:
  """Prints how large an experiment is, or one shard of it, and how long it will take."""
  from toy_superposition import dry_run, shards
  from toy_superposition.devices import memory, processes

  if processes.count() > 1:
    raise UserError("--dry_run is for one process; leave --coordinator out")
  if FLAGS.shard is not None:
    what = shards.part(what, shards.parse(FLAGS.shard, what), mesh.devices.flat[0].platform)
  budget = memory.memory_budget(list(mesh.devices.flat), what.values["run.memory_gib"])
  print(dry_run.dry_run(what, mesh, budget))


def check_profile(what: "Experiment") -> None:
  """Raises UserError for a profile that cannot be made, before anything is written."""
  from toy_superposition import trace

  if FLAGS.coordinator is not None:
    raise UserError("--profile_steps is for one process; leave --coordinator out")
  trace.check_steps(what, FLAGS.profile_steps)


def write_profile(path: Path, what: "Experiment", mesh: "Mesh") -> None:
  """Traces the steps that --profile_steps asks for, before the run itself."""
  from toy_superposition import trace
  from toy_superposition.devices import memory

  budget = memory.memory_budget(list(mesh.devices.flat), what.values["run.memory_gib"])
  print(trace.profile(what, mesh, budget, path, FLAGS.profile_steps), flush=True)


@contextlib.contextmanager
def session(
  path: Path, what: "Experiment", identity: Mapping[str, Any], mesh: "Mesh"
) -> Iterator["Workdir"]:
  """Gives the opened folder of a run; its manifest learns when the session ended, and how."""
  from toy_superposition.devices import processes
  from toy_superposition.records import tensorboard
  from toy_superposition.records import workdir as workdirs

  started = time.perf_counter()
  if what.values["run.tensorboard"]:
    tensorboard.check_installed()  # before anything is written or overwritten
  with processes.first_alone() as first:
    workdir = workdirs.Workdir(path)
    if first:
      workdir = workdirs.open_workdir(
        path,
        what.values,
        identity,
        overwrite=FLAGS.overwrite,
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
    with contextlib.suppress(UserError):  # what ended the run is the news
      close()
    raise
  close()


def run_shard(root: Path, what: "Experiment", mesh: "Mesh") -> None:
  """Runs one of the parts of an experiment, or finds it finished."""
  from toy_superposition import runner, shards
  from toy_superposition.devices import processes

  if processes.count() > 1:
    raise UserError("--shard and --coordinator are two ways to use many machines; take one")
  shard = shards.parse(FLAGS.shard, what)
  shards.check_neighbours(root, what, shard)
  folder = shard.folder(root)
  part = shards.part(what, shard, mesh.devices.flat[0].platform)
  if FLAGS.overwrite or not shards.is_finished(folder):
    runner.group_meshes(part, mesh)  # before anything is written or overwritten
  if FLAGS.profile_steps is not None:
    check_profile(part)
  with session(folder, what, shards.identity(what, shard), mesh) as workdir:
    if FLAGS.profile_steps is not None:
      write_profile(workdir.profile, part, mesh)
    if shards.is_finished(folder):
      print(f"shard {shard.name} is finished (--overwrite runs it afresh)")
    else:
      shards.save(folder, part, runner.outcomes(part, workdir, mesh))
  print(f"\nonce all are finished: python -m toy_superposition.collect --workdir={root}")


def run_in(path: Path, what: "Experiment", mesh: "Mesh") -> None:
  """Runs an experiment in a folder, or finds it finished; draws and reports it."""
  from toy_superposition import runner
  from toy_superposition.devices import processes
  from toy_superposition.records.workdir import Workdir
  from toy_superposition.report import finish

  if FLAGS.overwrite or not os.path.exists(Workdir(path).results):  # a path may be impossible
    runner.group_meshes(what, mesh)  # before anything is written or overwritten
  with session(path, what, what.identity, mesh) as workdir:
    if FLAGS.profile_steps is not None:
      write_profile(workdir.profile, what, mesh)
    datasets = runner.stored(workdir) if processes.is_first() else None
    if not processes.any_of(int(datasets is not None)):
      datasets = runner.run(what, workdir, mesh)
    elif processes.is_first():
      print("this run is finished; drawing its figures again (--overwrite runs it afresh)")
    if not datasets:
      return  # the first process draws and reports
  finish.present(workdir, what.figures, what.values["analysis"], datasets)


if __name__ == "__main__":
  from toy_superposition import terminal

  define_flags()
  terminal.run(main, parse_flags)
