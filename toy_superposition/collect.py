"""Joins the shards of an experiment: python -m toy_superposition.collect --workdir=…"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
  from absl import flags


def define_flags(values: "flags.FlagValues | None" = None) -> None:
  """Defines this entry point's flags, as absl.flags.FLAGS by default."""
  from absl import flags

  values = flags.FLAGS if values is None else values
  flags.DEFINE_string(
    "workdir", None, "The folder that the shards were written to.", flag_values=values
  )
  flags.DEFINE_string(
    "config",
    None,
    "The shards' config, if it registers rows of its own, such as ./mine.py.",
    flag_values=values,
  )


def main(argv: Sequence[str]) -> int:
  """Joins all shards, or says which are missing; returns the exit code."""
  from absl import flags

  from toy_superposition.cli import collect

  del argv
  return collect.main(flags.FLAGS)


if __name__ == "__main__":
  from toy_superposition import interrupts

  interrupts.take_over()
  from toy_superposition import terminal

  define_flags()
  terminal.run(main, terminal.parse_flags)
