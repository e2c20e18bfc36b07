"""Joins the shards of an experiment into one run, as the flags of collect.py say."""

import time
from pathlib import Path

from absl import flags

from toy_superposition import runner, shards, terminal
from toy_superposition.config.resolve import resolve_values
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.records import workdir as workdirs
from toy_superposition.report import finish


def main(options: flags.FlagValues) -> int:
  """Joins all shards, draws the run and prints its summary; returns the exit code.

  Raises:
    UserError: shards are missing, damaged, or of different configs.
  """
  if not options.workdir:
    terminal.fail("--workdir is missing; for example --workdir=runs/phase_change")
  root = Path(options.workdir)
  begun = shards.begun(root)
  if not begun:
    raise UserError(f"{root}: holds no shards; they are written with --shard=i/N")
  terminal.show_log()
  setup.configure(setup.cores(), compilation_cache=True)
  mesh = meshes.make_mesh(setup.devices())
  values = workdirs.read_values(workdirs.Workdir(begun[0].folder(root)))
  resolved = resolve_values(values)
  outcomes = shards.collect(root, resolved)
  started = time.perf_counter()
  workdir = workdirs.open_workdir(
    root,
    resolved.values,
    resolved.identity,
    overwrite=False,
    command=["python", "-m", "toy_superposition.collect", f"--workdir={root}"],
    devices=[str(device) for device in mesh.devices.flat],
  )
  datasets = runner.finish(resolved, outcomes, workdir, mesh)
  workdirs.close_session(workdir, time.perf_counter() - started)
  finish.present(workdir, resolved.experiment, datasets)
  return 0
