"""Makes a page for a lecture: python -m toy_superposition.gallery --workdir=runs/paper

Six experiments of the paper, interactive, with a question to the audience each, in one file that
needs no network. Those that are finished in the folder, such as after reproduce, are not run again.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
  from absl import flags


def define_flags(values: "flags.FlagValues | None" = None) -> None:
  """Defines this entry point's flags, as absl.flags.FLAGS by default."""
  from absl import flags

  values = flags.FLAGS if values is None else values
  flags.DEFINE_string(
    "workdir",
    None,
    "Where results and gallery.html go, such as runs/paper: a folder for each experiment.",
    flag_values=values,
  )
  flags.DEFINE_bool(
    "quick", False, "Train at :quick sizes: a page within two minutes.", flag_values=values
  )
  flags.DEFINE_bool(
    "overwrite", False, "Run finished and interrupted experiments afresh.", flag_values=values
  )


def main(argv: Sequence[str]) -> int:
  """Runs what is missing and writes the page; returns the exit code."""
  from absl import flags

  from toy_superposition.cli import gallery

  del argv
  return gallery.main(flags.FLAGS)


def call(*words: str) -> int:
  """Makes the page from a script, such as call("--workdir=runs/paper"); returns the exit code.

  Raises:
    SystemExit: a mistake was printed in one line; it has the code.
  """
  from absl import flags

  from toy_superposition import terminal
  from toy_superposition.cli import gallery

  options = flags.FlagValues()
  define_flags(options)
  terminal.guarded(terminal.parse_flags, ["toy_superposition.gallery", *words], options)
  return terminal.guarded(gallery.main, options)


if __name__ == "__main__":
  from toy_superposition import interrupts

  interrupts.take_over()
  from toy_superposition import terminal

  define_flags()
  terminal.run(main, terminal.parse_flags)
