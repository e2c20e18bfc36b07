"""Joins the shards of an experiment: python -m toy_superposition.collect --workdir=…"""

from collections.abc import Sequence

from absl import flags

FLAGS = flags.FLAGS


def define_flags(values: flags.FlagValues = FLAGS) -> None:
  """Defines this entry point's flags."""
  flags.DEFINE_string(
    "workdir", None, "The folder that the shards were written to.", flag_values=values
  )


def main(argv: Sequence[str]) -> int:
  """Joins all shards, or says which are missing; returns the exit code."""
  from toy_superposition.cli import collect

  del argv
  return collect.main(FLAGS)


if __name__ == "__main__":
  from toy_superposition import terminal

  define_flags()
  terminal.run(main, terminal.parse_flags)
