"""Puts the shards of an experiment together: python -m toy_superposition.collect --workdir=…"""

import time
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from toy_superposition.errors import UserError

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines this entry point's flags."""
  flags.DEFINE_string("workdir", None, "The folder that the shards were written to.")


def main(argv: Sequence[str]) -> int:
  """Merges all shards, says which are missing, draws and reports; returns the exit code."""
  from toy_superposition import runner, shards, terminal
  from toy_superposition.config import resolve as config
  from toy_superposition.devices import meshes, setup
  from toy_superposition.records import workdir as workdirs
  from toy_superposition.report import finish

  del argv
  if not FLAGS.workdir:
    terminal.fail("--workdir is missing; for example --workdir=runs/phase_change")
  root = Path(FLAGS.workdir)
  there = shards.found(root)
  if not there:
    raise UserError(f"{root}: holds no shards; they are written with --shard=i/N")
  terminal.show_log()
  setup.configure(setup.cores(), compilation_cache=True)
  mesh = meshes.make_mesh(setup.devices())
  values = workdirs.read_values(workdirs.Workdir(there[0].folder(root)))
  what = config.resolve_values(values)
  outcomes = shards.collect(root, what)
  started = time.perf_counter()
  workdir = workdirs.open_workdir(
    root,
    what.values,
    what.identity,
    overwrite=False,
    command=["python", "-m", "toy_superposition.collect", f"--workdir={root}"],
    devices=[str(device) for device in mesh.devices.flat],
  )
  datasets = runner.finish(what, outcomes, workdir, mesh)
  workdirs.close_session(workdir, time.perf_counter() - started)
  finish.present(workdir, what.figures, what.values["analysis"], datasets)
  return 0


if __name__ == "__main__":
  from toy_superposition import terminal

  define_flags()
  terminal.run(main, terminal.parse_flags)
