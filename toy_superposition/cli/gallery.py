"""Runs the experiments of a lecture, as the flags of gallery.py say, and writes its page."""

import jax
from absl import flags

from toy_superposition import interrupts
from toy_superposition.cli import reproduce
from toy_superposition.records import remote
from toy_superposition.report import lecture

NAME = "gallery.html"


def main(options: flags.FlagValues) -> int:
  """Runs those of the six experiments that are not finished, and writes the page.

  Returns the exit code: 1 if an experiment failed, whose section then says why.

  Raises:
    UserError: a flag is not as it must be, or a file cannot be written.
  """
  jax.config.update("jax_platforms", "cpu")  # accelerators are left to the experiments
  with reproduce.opened(options) as root:
    with interrupts.raised("the same command continues"):
      runs = reproduce.run_all(list(lecture.SLIDES), root, options)
    lecture.write(root / NAME, runs)
    print(remote.shown(root / NAME))
  return 1 if any(run.problem for run in runs) else 0
