"""Runs one experiment: python -m toy_superposition.main --config=phase_change:quick

The config is Python code and is executed; run only configs that you trust.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
  from absl import flags


def define_flags(values: "flags.FlagValues | None" = None) -> None:
  """Defines this entry point's flags, as absl.flags.FLAGS by default."""
  from absl import flags

  from toy_superposition.cli import config_flag

  known = flags.FLAGS if values is None else values

  def text(name: str, about: str) -> None:
    flags.DEFINE_string(name, None, about, flag_values=known)

  def boolean(name: str, default: bool, about: str) -> None:
    flags.DEFINE_bool(name, default, about, flag_values=known)

  def integer(name: str, about: str, lower_bound: int | None = None) -> None:
    flags.DEFINE_integer(name, None, about, lower_bound=lower_bound, flag_values=known)

  config_flag.define(known)
  text("workdir", "Where results go, a folder or gs://…; runs/<config.name> by default.")
  boolean("overwrite", False, "Delete an earlier run in the workdir and start afresh.")
  boolean("list", False, "List the experiments with their costs, and stop.")
  boolean("print_config", False, "Print every field of the config with its meaning, and stop.")
  boolean("watch", False, "Show losses and features in report.html while the run trains.")
  boolean("dry_run", False, "Time a few steps, print size, memory and time of the run, and stop.")
  integer("profile_steps", "Trace this many steps into WORKDIR/profile first.", lower_bound=1)
  integer("devices", "Use this many devices; all by default.", lower_bound=1)
  integer(
    "cpu_devices", "Split the CPU into this many devices; one per core by default.", lower_bound=1
  )
  text("shard", "Run shard i, from 0, of N, each on a machine of its own; see collect.py.")
  text("coordinator", "Address of process 0 of a distributed run; auto under SLURM and on TPUs.")
  integer("num_processes", "Number of processes of a distributed run.")
  integer("process_id", "Number of this process, from 0.")
  boolean("compilation_cache", True, "Do not keep compiled programs in the user's cache folder.")


def main(argv: Sequence[str]) -> int:
  """Runs the experiment that the flags name; returns the exit code."""
  from absl import flags

  from toy_superposition.cli import run

  del argv
  return run.main(flags.FLAGS)


def call(*words: str) -> int:
  """Runs the program in this process, for scripts; returns its exit code.

  As a process it would have its CPU divided into devices; here jax has those that it has.

  Args:
    *words: flags, such as "--config=phase_change:quick".

  Raises:
    SystemExit: a mistake was printed in one line; it has the code.
  """
  import sys

  from absl import flags

  from toy_superposition import terminal
  from toy_superposition.cli import config_errors, run

  options, before = flags.FlagValues(), sys.argv
  sys.argv = ["toy_superposition", *words]  # where ml_collections finds overrides
  # It would load this config into the module of the last one.
  sys.modules.pop("config_config", None)
  try:
    define_flags(options)
    terminal.guarded(config_errors.parse_flags, sys.argv, options)
    return terminal.guarded(run.main, options)
  finally:
    sys.argv = before


if __name__ == "__main__":
  from toy_superposition import interrupts

  interrupts.take_over()
  from toy_superposition import terminal
  from toy_superposition.cli.config_errors import parse_flags

  define_flags()
  terminal.run(main, parse_flags)
