"""Joins the shards of an experiment into one run, as the flags of collect.py say."""

from pathlib import Path

from absl import flags

from toy_superposition import runner, shards, terminal
from toy_superposition.config import execute
from toy_superposition.config.resolve import ResolvedConfig, resolve_values
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.records import opening, remote
from toy_superposition.records import workdir as workdirs
from toy_superposition.report import finish


def main(options: flags.FlagValues) -> int:
  """Joins all shards, draws the run and prints its summary; returns the exit code.

  Raises:
    UserError: shards are missing, damaged, or of different configs.
  """
  with remote.opened(options.workdir, remote.of_finished) as root:
    return collect(root, options)


def collect(root: Path, options: flags.FlagValues) -> int:
  """Joins the shards in a folder as `main` does."""
  begun = shards.begun(root)
  if not begun:
    raise UserError(f"{root}: holds no shards; they are written with --shard=i/N")
  resolved = _resolved(workdirs.Workdir(begun[0].folder(root)), options.config)
  terminal.show_log()
  setup.configure(setup.cores(), compilation_cache=True)
  mesh = meshes.make_mesh(setup.devices())
  outcomes, estimators = shards.collect(root, resolved)
  with opening.session(
    root,
    resolved.values,
    resolved.identity,
    overwrite=False,
    command=["python", "-m", "toy_superposition.collect", remote.shown(f"--workdir={root}")],
    devices=[str(device) for device in mesh.devices.flat],
    options=setup.options(),
  ) as workdir:
    datasets = runner.finish(resolved, outcomes, estimators, workdir, mesh)
    finish.present(workdir, resolved.experiment, datasets)
  return 0


def _resolved(shard: workdirs.Workdir, config: str | None) -> ResolvedConfig:
  """Returns the config of a shard; `config` is executed before, to register rows of its own.

  Raises:
    UserError: it raises one, or the shard's config has names that are not in the tables.
  """
  if config is not None:
    execute.get_config(config)
  values = workdirs.read_values(shard)
  try:
    return resolve_values(values)
  except UserError as error:
    if config is not None:
      raise
    raise UserError(
      f"{error}; if the shards' config registers rows, name it: --config=FILE"
    ) from error
