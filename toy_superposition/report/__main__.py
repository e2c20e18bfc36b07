"""Draws a finished run again, without training: python -m toy_superposition.report --workdir=…

It makes the figures and the page report.html, which is interactive if plotly is installed.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines this entry point's flags."""
  flags.DEFINE_string("workdir", None, "The folder of a finished run, such as runs/phase_change.")


def main(argv: Sequence[str]) -> int:
  """Draws the figures and the page of a run and prints its summary; returns the exit code."""
  from toy_superposition import terminal
  from toy_superposition.records import results
  from toy_superposition.records import workdir as workdirs
  from toy_superposition.report import finish

  del argv
  if not FLAGS.workdir:
    terminal.fail("--workdir is missing; for example --workdir=runs/phase_change")
  workdir = workdirs.Workdir(Path(FLAGS.workdir))
  values = workdirs.read_values(workdir)
  finish.present(workdir, values["experiment"], results.read(workdir))
  return 0


if __name__ == "__main__":
  from toy_superposition import terminal

  define_flags()
  terminal.run(main, terminal.parse_flags)
