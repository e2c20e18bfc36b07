"""Runs every experiment of the paper: python -m toy_superposition.reproduce --workdir=runs/paper

--suite=follow_ups runs the later questions, and --suite=all both.
Each experiment is a process of its own, so one that fails never stops the others. Finished ones are
skipped, interrupted ones continue. At the end all claims are printed as tables and written, with
panels and figures in the order of --list, to one page.
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
    "Where results go, a folder or gs://…, such as runs/paper: a folder for each.",
    flag_values=values,
  )
  flags.DEFINE_bool(
    "quick",
    False,
    "Check that everything runs, at :quick sizes, which are too small for the claims.",
    flag_values=values,
  )
  flags.DEFINE_list(
    "experiments",
    None,
    "Which to run, by the names of their configs, of any suite; those of --suite by default.",
    flag_values=values,
  )
  flags.DEFINE_string(
    "suite",
    None,
    "Which to run: paper (by default), follow_ups, or all.",
    flag_values=values,
  )
  flags.DEFINE_bool(
    "overwrite", False, "Run finished and interrupted experiments afresh.", flag_values=values
  )
  flags.DEFINE_integer(
    "jobs",
    1,
    "How many experiments run at a time, each with up to a quarter of the machine's memory. Leave "
    "it at 1 on an accelerator, which one process takes for itself.",
    lower_bound=1,
    flag_values=values,
  )
  flags.DEFINE_string(
    "claims_page",
    None,
    "Markdown file whose part between the markers for claims is rewritten at the end.",
    flag_values=values,
  )


def main(argv: Sequence[str]) -> int:
  """Runs the chosen experiments; returns the exit code."""
  from absl import flags

  from toy_superposition.cli import reproduce

  del argv
  return reproduce.main(flags.FLAGS)


if __name__ == "__main__":
  from toy_superposition import interrupts

  interrupts.take_over()
  from toy_superposition import terminal

  define_flags()
  terminal.run(main, terminal.parse_flags)
