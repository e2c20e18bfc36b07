"""Draws a finished run again, without training: python -m toy_superposition.report --workdir=…

It makes the figures and the interactive page report.html.
"""

from collections.abc import Sequence


def define_flags() -> None:
  """Defines this entry point's flags."""
  from absl import flags

  flags.DEFINE_string("workdir", None, "The folder of a finished run, such as runs/phase_change.")


def main(argv: Sequence[str]) -> int:
  """Draws the figures and the page of a run and prints its summary; returns the exit code."""
  from absl import flags

  from toy_superposition.records import remote
  from toy_superposition.records.workdir import Workdir
  from toy_superposition.report import finish

  del argv
  with remote.opened(flags.FLAGS.workdir, remote.of_finished) as path:
    finish.present_again(Workdir(path))
  return 0


if __name__ == "__main__":
  from toy_superposition import interrupts

  interrupts.take_over()
  from toy_superposition import terminal

  define_flags()
  terminal.run(main, terminal.parse_flags)
